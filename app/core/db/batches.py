"""The tasks that were submitted together.

A batch has no row of its own: it is there as long as one of its tasks.
"""

from __future__ import annotations

from peewee import fn

from app.core.db import tasks
from app.core.db.connection import begin_write
from app.core.db.states import IN_PROGRESS, QUEUED, TERMINAL
from app.core.db.tasks import Task


def list_tasks(batch: str) -> list[Task]:
    """List the tasks of a batch in the order of its recordings; none if it does not exist."""
    # PostgreSQL rejects NUL, even in a comparison.
    return [] if "\0" in batch else list(Task.select().where(Task.batch == batch).order_by(Task.id))


def count_unfinished(batch: str) -> int:
    """Count the tasks that have not ended."""
    return int(Task.select(fn.COUNT(Task.id)).where((Task.batch == batch) & Task.status.not_in(TERMINAL)).scalar())


def cancel(batch: str) -> int:
    """QUEUED or IN_PROGRESS → CANCELLED, for all tasks of a batch.

    Returns the number of cancelled tasks.
    """
    with begin_write():
        unended = Task.select(Task.uuid).where((Task.batch == batch) & Task.status.in_([QUEUED, IN_PROGRESS]))
        return sum(tasks.cancel(row.uuid) for row in list(unended.order_by(Task.id)))  # in one order: no deadlock


def delete(batch: str) -> list[str]:
    """Delete the tasks of a batch in any state; return their uuids.

    The database deletes their results and renderings, too.
    """
    with begin_write():
        found = [row.uuid for row in Task.select(Task.uuid).where(Task.batch == batch).order_by(Task.id)]
        return [uuid for uuid in found if tasks.delete(uuid)]
