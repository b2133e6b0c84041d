"""What is old enough to go: the files of ended tasks, and their rows where tasks.ttl asks for it.

``at`` is a reading of the database's clock from which ages are counted; without it, the clock is read by the query.
"""

from __future__ import annotations

from typing import Any

from app.core.db.connection import now
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task


def purgeable(ttl: float, most: int, at: float | None = None) -> list[str]:
    """Identifiers of up to ``most`` tasks that ended over ``ttl`` seconds ago and whose files are still kept."""
    return _ended(ttl, most, at, Task.files_purged_at.is_null())


def forgettable(ttl: float, most: int, at: float | None = None) -> list[str]:
    """Identifiers of up to ``most`` tasks that ended over ``ttl`` seconds ago."""
    return _ended(ttl, most, at)


def purged(uuid: str) -> bool:
    """Note that the files of an ended task are gone; False for a live one, and where somebody has noted it before."""
    ended = (Task.uuid == uuid) & Task.status.in_(TERMINAL) & Task.files_purged_at.is_null()
    return bool(Task.update(files_purged_at=now()).where(ended).execute())


def forget(uuid: str) -> bool:
    """Remove the row of an ended task; False when there is none."""
    return bool(Task.delete().where((Task.uuid == uuid) & Task.status.in_(TERMINAL)).execute())


def _ended(ttl: float, most: int, at: float | None, *also: Any) -> list[str]:
    # Live tasks have no finished_at; a word on their status would mislead SQLite's planner.
    due = Task.finished_at < (now() if at is None else at) - ttl
    return [row.uuid for row in Task.select(Task.uuid).where(due, *also).order_by(Task.finished_at).limit(most)]
