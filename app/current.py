"""The application's settings, storage and defaults, in requests."""

from __future__ import annotations

from flask import Flask, current_app

from app.core.params import TranscriptionParams
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from app.core.storage.storage import Storage

SETTINGS = "speech.settings"
DEFAULTS = "speech.defaults"


def get_settings(app: Flask | None = None) -> Settings:
    """Return the settings of ``app`` (default: the current one)."""
    settings: Settings = (app or current_app).extensions[SETTINGS]
    return settings


def get_storage() -> Storage:
    """Return the storage of the current application."""
    return open_storage(get_settings())


def get_defaults(app: Flask | None = None) -> TranscriptionParams:
    """Return the default parameters of a transcription."""
    defaults: TranscriptionParams = (app or current_app).extensions[DEFAULTS]
    return defaults
