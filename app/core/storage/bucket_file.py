"""A file of a task in a bucket, as the web side sends it."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from app.core.storage.object_reader import ObjectReader
from app.core.storage.object_store import Entry, ObjectStore
from app.core.storage.stored_file import RemoteFile

CHUNK = 256 * 1024


class BucketFile(RemoteFile):
    """``redirects``: clients may read it from the store directly."""

    def __init__(self, store: ObjectStore, entry: Entry, redirects: bool) -> None:
        super().__init__(entry.key.rpartition("/")[2], entry.size, entry.modified, entry.tag)
        self._store = store
        self._entry = entry
        self._redirects = redirects

    def open(self) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(ObjectReader(self._store, self._entry), CHUNK))

    def sign_url(self, media_type: str, disposition: str) -> str | None:
        return self._store.sign_url(self._entry.key, media_type, disposition) if self._redirects else None
