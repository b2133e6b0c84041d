"""Open the storage that the settings name."""

from __future__ import annotations

from app.core.settings import Settings
from app.core.storage.folder import Folder
from app.core.storage.storage import Storage


def open_storage(settings: Settings) -> Storage:
    """Return the storage of the settings."""
    return Folder(settings.cache.path)
