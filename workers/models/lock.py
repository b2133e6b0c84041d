"""Keep two processes from downloading the same model at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

LOCKS = ".locks"  # the folder below models/ that huggingface_hub uses as well


@contextlib.contextmanager
def lock_download(models: Path, name: str) -> Iterator[None]:
    """Hold the lock of a download into the folder ``models``.

    The kernel releases it when its holder dies.
    """
    path = models / LOCKS / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process to download %s", name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
