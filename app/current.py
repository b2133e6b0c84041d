"""The running application's settings and defaults, for code that handles a request."""

from __future__ import annotations

from flask import Flask, current_app

from app.core.params import TranscriptionParams
from app.core.settings import Settings

SETTINGS = "speech.settings"
DEFAULTS = "speech.defaults"


def get_settings(app: Flask | None = None) -> Settings:
    """The settings of ``app``, by default the one that handles the request."""
    settings: Settings = (app or current_app).extensions[SETTINGS]
    return settings


def get_defaults(app: Flask | None = None) -> TranscriptionParams:
    """The parameters of a transcription where the client sends none."""
    defaults: TranscriptionParams = (app or current_app).extensions[DEFAULTS]
    return defaults
