"""Find tasks whose files or rows have expired.

Files expire after cache.ttl, rows after tasks.ttl seconds. ``at`` is a reading of the database clock from which ages
are counted; without it, the query reads the clock.
"""

from __future__ import annotations

from typing import Any

from app.core.db import webhooks
from app.core.db.connection import begin_write, now
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task, get


def list_purgeable(ttl: float, most: int, at: float | None = None) -> list[str]:
    """List tasks whose files have expired.

    These are up to ``most`` tasks, oldest first, that ended over ``ttl`` seconds ago and still have their files.
    """
    return _list_ended(ttl, most, at, Task.files_purged_at.is_null())


def list_expired(ttl: float, most: int, at: float | None = None) -> list[str]:
    """List tasks whose rows have expired.

    These are up to ``most`` tasks, oldest first, that ended over ``ttl`` seconds ago.
    """
    return _list_ended(ttl, most, at)


def mark_purged(uuid: str) -> bool:
    """Mark an ended task's files as removed.

    Returns False for a task that has not ended or was marked before.
    """
    ended = (Task.uuid == uuid) & Task.status.in_(TERMINAL) & Task.files_purged_at.is_null()
    return bool(Task.update(files_purged_at=now()).where(ended).execute())


def delete_ended(uuid: str) -> bool:
    """Delete an ended task, its result and its renderings.

    A message about its end stays until it is delivered. Returns False when there is no such task.
    """
    with begin_write():
        deleted = Task.delete().where((Task.uuid == uuid) & Task.status.in_(TERMINAL)).execute()
        if deleted:
            webhooks.remove_ended(uuid)
    return bool(deleted)


def keeps_files(uuid: str) -> bool:
    """Whether the task exists and has not been purged."""
    row = get(uuid)
    return row is not None and row.files_purged_at is None


def _list_ended(ttl: float, most: int, at: float | None, *also: Any) -> list[str]:
    # Only ended tasks have a ``finished_at``. A condition on the status as well would make the SQLite planner choose a
    # worse index.
    due = Task.finished_at < (now() if at is None else at) - ttl
    return [row.uuid for row in Task.select(Task.uuid).where(due, *also).order_by(Task.finished_at).limit(most)]
