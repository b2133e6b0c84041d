"""Local folders for files on their way to or from an object store.

A folder is locked while a process uses it, so that others can tell what a crash has left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

SPOOL = "spool"


class Spool:
    """The folders below ``cache``/spool."""

    def __init__(self, cache: Path) -> None:
        self._path = cache / SPOOL

    def locate(self, name: str) -> Path:
        return self._path / name

    @contextlib.contextmanager
    def open_folder(self, name: str) -> Iterator[Path]:
        """Have a new folder inside the block."""
        folder = self.locate(name)
        shutil.rmtree(folder, ignore_errors=True)  # left by a crash of this machine
        folder.mkdir(parents=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Remove a folder, unless a process has it open."""
        _remove_unlocked(self.locate(name), math.inf)

    def sweep(self, before: float) -> int:
        """Remove the folders that were made before that time and that no process has open. Return their number."""
        return sum(_remove_unlocked(folder, before) for folder in self._path.glob("*"))


def _remove_unlocked(folder: Path, before: float) -> bool:
    try:
        if folder.stat().st_mtime >= before:
            return False
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # its process has just removed it
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
