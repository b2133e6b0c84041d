"""Write files so that they survive a power cut.

The content is synchronised first, then the folder that holds the name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def sync_file(file: IO[Any]) -> None:
    """Make the content of an open file durable."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_file(path: Path, partial: Path) -> Iterator[None]:
    """Make what is written to ``partial`` inside the block durable, as ``path``.

    Both are in the same folder, which may be new. If the block raises, nothing is left.
    """
    path.parent.mkdir(exist_ok=True)
    try:
        yield
        with partial.open("rb") as file:
            sync_file(file)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):
        sync_folder(folder)
