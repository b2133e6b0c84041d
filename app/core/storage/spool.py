"""Local folders for files on their way to or from an object store.

A folder is locked while a process uses it, so that others can tell what a crash has left behind.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.core.storage.locked import hold, remove_unlocked

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
        with hold(folder):
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Remove a folder, unless a process has it open."""
        remove_unlocked(self.locate(name), math.inf)

    def sweep(self, before: float) -> int:
        """Remove the folders that were made before that time and that no process has open. Return their number."""
        return sum(remove_unlocked(folder, before) for folder in self._path.glob("*"))
