"""Lock files and folders while they are used, so that others can tell what a crash has left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Lock a file or folder inside the block, which may remove it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_unlocked(path: Path, before: float) -> bool:
    """Remove a file or folder that was last changed before that time and that no process holds. Return whether it did."""
    try:
        if path.stat().st_mtime >= before:
            return False
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # its process has just removed it
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)
