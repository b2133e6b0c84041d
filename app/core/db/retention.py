"""Which tasks are old enough to lose their files (cache.ttl) or their rows (tasks.ttl).

``at`` is a reading of the database clock from which ages are counted; without it, the query reads the clock.
"""

from __future__ import annotations

from typing import Any

from app.core.db.connection import now
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task, get


def list_purgeable(ttl: float, most: int, at: float | None = None) -> list[str]:
    """List up to ``most`` tasks that ended over ``ttl`` seconds ago and still have their files."""
    return _ended(ttl, most, at, Task.files_purged_at.is_null())


def list_expired(ttl: float, most: int, at: float | None = None) -> list[str]:
    """List up to ``most`` tasks that ended over ``ttl`` seconds ago."""
    return _ended(ttl, most, at)


def mark_purged(uuid: str) -> bool:
    """Mark an ended task's files as removed; False for a live task and for one marked before."""
    ended = (Task.uuid == uuid) & Task.status.in_(TERMINAL) & Task.files_purged_at.is_null()
    return bool(Task.update(files_purged_at=now()).where(ended).execute())


def delete_ended(uuid: str) -> bool:
    """Delete an ended task with its result and renderings; False when there is none."""
    return bool(Task.delete().where((Task.uuid == uuid) & Task.status.in_(TERMINAL)).execute())


def keeps_files(uuid: str) -> bool:
    """Whether the task exists and its files have not been marked as removed."""
    row = get(uuid)
    return row is not None and row.files_purged_at is None


def _ended(ttl: float, most: int, at: float | None, *also: Any) -> list[str]:
    # Live tasks have no end. A condition on the status as well would make the SQLite planner choose a worse index.
    due = Task.finished_at < (now() if at is None else at) - ttl
    return [row.uuid for row in Task.select(Task.uuid).where(due, *also).order_by(Task.finished_at).limit(most)]
