"""Mark a bucket with the database whose files it holds.

Files without a row are removed. A service with another database knows no rows for them, so it must not use the bucket.
"""

from __future__ import annotations

from app.core.storage.object_store import ObjectStore
from app.core.storage.storage import StorageUnavailableError

MARK = "database"  # the key of an object with the identifier of the database
LONGEST = 64  # bytes of a mark


def find_owner(store: ObjectStore) -> str | None:
    """Return the identifier of the database whose files are in the bucket; None if it has none yet."""
    try:
        return store.read_bytes(MARK, LONGEST).decode("ascii", "replace")
    except FileNotFoundError:
        return None


def claim_bucket(hurried: ObjectStore, store: ObjectStore, database: str) -> None:
    """Mark the bucket, unless it has a mark. Raises StorageUnavailableError if it is that of another database.

    ``hurried`` does not wait long for an answer; ``store`` does, because the first object may take a store seconds.
    """
    owner = find_owner(hurried)
    if owner is None:
        store.put_new(database.encode(), MARK)
        owner = find_owner(store)  # another process may have been first
    if owner != database:
        raise explain_owner(store)


def explain_owner(store: ObjectStore) -> StorageUnavailableError:
    """Return the error for a bucket with the mark of another database."""
    say = f"{store.location} holds the files of another database; correct DB_URL, or use another prefix in storage.url"
    lost = f"If that database is lost for good, remove the object {MARK} there; then all files in it are removed."
    return StorageUnavailableError(f"{say}. {lost}", is_permanent=True)
