"""The application's settings and defaults, in requests."""

from __future__ import annotations

from flask import Flask, current_app

from app.core.params import TranscriptionParams
from app.core.settings import Settings

SETTINGS = "speech.settings"
DEFAULTS = "speech.defaults"


def get_settings(app: Flask | None = None) -> Settings:
    """Return the settings of ``app`` (default: the current one)."""
    settings: Settings = (app or current_app).extensions[SETTINGS]
    return settings


def get_defaults(app: Flask | None = None) -> TranscriptionParams:
    """Return the default parameters of a transcription."""
    defaults: TranscriptionParams = (app or current_app).extensions[DEFAULTS]
    return defaults
