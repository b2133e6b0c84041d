"""Find out whether a store can be used, and if not, why."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone

from app.core.storage.location import Keys, Location
from app.core.storage.object_store import ObjectStore
from app.core.storage.own_names import is_check
from app.core.storage.ownership import claim_bucket, explain_owner, find_owner
from app.core.storage.s3_client import SHORT
from app.core.storage.storage import StorageUnavailableError

CHECKS = "check"  # the objects that ``write_and_read`` makes
CONTENT = b"The check of the storage has written this."


class StoreProbe:
    """``find_outage`` and ``claim`` do not wait long for a store that does not answer; the others do."""

    def __init__(self, location: Location, keys: Keys) -> None:
        self._hurried = ObjectStore(location, keys, SHORT)
        self._store = ObjectStore(location, keys)

    def find_outage(self) -> StorageUnavailableError | None:
        """Return why objects cannot be read now, or None."""
        try:
            next(self._hurried.list(f"{CHECKS}/"), None)
        except StorageUnavailableError as error:
            return error
        return None

    def claim(self, database: str) -> None:
        """Mark the bucket with the identifier of the database.

        Raises StorageUnavailableError if it has the mark of another one, or does not answer.
        """
        claim_bucket(self._hurried, self._store, database)

    def find_other_owner(self, database: str | None) -> StorageUnavailableError | None:
        """Return why a database may not use the bucket, or None. ``database`` is None for one that is not made yet."""
        owner = find_owner(self._store)
        return explain_owner(self._store) if owner not in (None, database) else None

    def write_and_read(self) -> StorageUnavailableError | None:
        """Write, read and remove an object. Return why that failed, or None."""
        key = f"{CHECKS}/{uuid.uuid4().hex}"
        try:
            next(self._store.list(f"{CHECKS}/"), None)  # first, because it tells a store from other servers
            self._store.put_bytes(CONTENT, key)
            body = self._store.open(self._store.stat(key), 0, len(CONTENT))
            answered = body.read()
            self._store.remove(key)
        except FileNotFoundError:
            answered = b""
        except StorageUnavailableError as error:
            return error
        if answered != CONTENT:
            say = f"{self._store.location} does not give back what was written (storage.url)."
            return StorageUnavailableError(say, is_permanent=True)
        return None

    def measure_skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the store's."""
        return (datetime.now(timezone.utc) - self._store.read_clock()).total_seconds()

    def sweep(self, before: float) -> int:
        """Remove what interrupted checks have left. Return the number of objects."""
        old = [entry.key for entry in self._store.list(f"{CHECKS}/") if entry.modified.timestamp() < before]
        ours = [key for key in old if is_check(key.removeprefix(f"{CHECKS}/"))]
        for key in ours:
            self._store.remove(key)
        return len(ours)
