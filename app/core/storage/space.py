"""Free disk space, and whether enough remains."""

from __future__ import annotations

import shutil
from pathlib import Path

MEBIBYTE = 1024 * 1024


def has_space(folder: Path, floor: float, incoming: float = 0) -> bool:
    """Whether ``incoming`` more bytes leave ``floor`` bytes free.

    ``folder`` need not exist yet.
    """
    return read_free_bytes(folder) - incoming >= floor


def read_free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of ``folder``."""
    return shutil.disk_usage(find_existing(folder)).free


def find_existing(folder: Path) -> Path:
    """Return ``folder`` or its nearest existing parent."""
    return next(above for above in (folder, *folder.absolute().parents) if above.exists())
