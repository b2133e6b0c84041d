"""Take files out of cache/ so that nobody sees half of a folder, and whoever has one of them open reads on to its end."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from app.core.storage.paths import INCOMING, SOURCE, folder_of, partial_of

TRASH = ".trash"


def remove_folder(cache: Path, identifier: str) -> bool:
    """Remove the folder of a task; False when there is none. What a crash leaves of it is swept as abandoned."""
    incoming = cache / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    trash = incoming / f"{uuid.uuid4().hex}{TRASH}"
    try:
        folder_of(cache, identifier).rename(trash)
    except FileNotFoundError:
        return False
    shutil.rmtree(trash, ignore_errors=True)  # out of sight already; the sweep comes back for what resists
    return True


def remove_stems(stems: Path) -> None:
    """Remove the folder of one claim's stems, complete or still being written. Raises OSError."""
    for folder in (stems, partial_of(stems)):
        if folder.exists():
            shutil.rmtree(folder)


def remove_partial(cache: Path, identifier: str) -> None:
    """Remove what a run has written into the folder of a task; the recording stays."""
    folder = folder_of(cache, identifier)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name == SOURCE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
