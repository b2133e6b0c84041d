"""Free space on disk, and the floor below which nothing more is accepted."""

from __future__ import annotations

import shutil
from pathlib import Path

MEBIBYTE = 1024 * 1024


def has_space(folder: Path, floor: float, incoming: float = 0) -> bool:
    """Whether ``incoming`` more bytes in ``folder``, which need not exist yet, leave ``floor`` bytes free."""
    return read_free_bytes(folder) - incoming >= floor


def read_free_bytes(folder: Path) -> int:
    """Bytes that are free where ``folder`` is, or would be made."""
    return shutil.disk_usage(find_existing(folder)).free


def find_existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(above for above in (folder, *folder.absolute().parents) if above.exists())
