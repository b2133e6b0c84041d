"""Remove what a run leaves behind whose task was cancelled or deleted; a task that goes on elsewhere keeps its files."""

from __future__ import annotations

from pathlib import Path

from app.core.db import tasks
from app.core.db.states import CANCELLED
from app.core.storage.removal import remove_folder, remove_partial


def discard(cache: Path, uuid: str) -> None:
    """Call it once nothing runs for the task here any more."""
    row = tasks.get(uuid)
    if row is None:
        remove_folder(cache, uuid)
    elif row.status == CANCELLED:
        remove_partial(cache, uuid)
