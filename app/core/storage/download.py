"""Download an object to the local disk of a run."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from app.core.errors import SpeechError
from app.core.storage.object_reader import ObjectReader
from app.core.storage.object_store import ObjectStore
from app.core.storage.space import has_space
from app.core.storage.storage import StorageUnavailableError

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
DISK_FULL = "Not enough disk space on the server for the recording; try again later."


def download(store: ObjectStore, key: str, path: Path, floor: float, check: Callable[[], None]) -> None:
    """Write an object to ``path``, and leave ``floor`` bytes of the disk free. ``check`` raises when this is to stop."""
    entry = store.stat(key)
    with explain_disk(path):
        if not has_space(path.parent, floor, entry.size):
            raise SpeechError("insufficient_storage", DISK_FULL)
        file = path.open("wb")
    with file, ObjectReader(store, entry) as reader:
        while chunk := reader.read(CHUNK):
            check()
            with explain_disk(path):
                file.write(chunk)
        with explain_disk(path):
            file.flush()


@contextlib.contextmanager
def explain_disk(path: Path) -> Iterator[None]:
    """Turn errors of the local disk into those of a storage that may be tried again: another machine has another disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SpeechError("insufficient_storage", DISK_FULL) from error
        problem = StorageUnavailableError(f"{path} cannot be written ({error.strerror}); see cache.path.")
        log.warning("storage: %s", problem.reason)
        raise problem from error
