"""Open the storage that the settings name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.core import settings as all_settings
from app.core.settings import Settings
from app.core.storage.folder import Folder
from app.core.storage.location import Keys, parse_location
from app.core.storage.space import MEBIBYTE
from app.core.storage.storage import Storage

if TYPE_CHECKING:
    from app.core.storage.store_probe import StoreProbe


def open_storage(settings: Settings) -> Storage:
    """Return the storage of the settings.

    All calls of a process with the same settings return the same bucket. Raises SettingsError without boto3.
    """
    if not settings.storage.url:
        return Folder(settings.cache.path)
    return _open_bucket(settings.storage, settings.storage_keys, settings.cache.path, settings.limits.min_free_mb)


@lru_cache(maxsize=8)  # its connections are kept
def _open_bucket(storage: all_settings.Storage, keys: Keys, cache: Path, floor_mb: int) -> Storage:
    from app.core.storage.bucket import Bucket  # imported here: without a bucket, it is not needed
    from app.core.storage.object_store import ObjectStore
    from app.core.storage.s3_client import BRIEF
    from app.core.storage.store_probe import StoreProbe

    location = parse_location(storage.url, storage.endpoint)
    return Bucket(
        ObjectStore(location, keys),
        ObjectStore(location, keys, BRIEF),
        StoreProbe(location, keys),
        cache,
        floor=floor_mb * MEBIBYTE,
        redirects=storage.redirect,
    )


def open_probe(settings: Settings) -> StoreProbe:
    """Return the probe of the bucket that the settings name. Raises SettingsError without boto3."""
    from app.core.storage.store_probe import StoreProbe

    return StoreProbe(parse_location(settings.storage.url, settings.storage.endpoint), settings.storage_keys)


def check_storage(settings: Settings) -> str:
    """Write a small object to the bucket, and remove it. Return why that fails; empty if it works, or without a bucket.

    Raises SettingsError without boto3.
    """
    if not settings.storage.url:
        return ""
    problem = open_probe(settings).write_and_read()
    return problem.reason if problem is not None else ""
