"""Read pages of tasks and places in the queue."""

from __future__ import annotations

import bisect

from app.core.db.states import QUEUED
from app.core.db.tasks import Task


def list_tasks(most: int, before: int | None = None, **equal: str) -> list[Task]:
    """List up to ``most`` tasks, newest first.

    ``before``: only rows older than this row id. ``equal``: columns and the values that they must have.
    """
    rows = Task.select().order_by(Task.id.desc()).limit(most)
    for name, value in equal.items():
        rows = rows.where(getattr(Task, name) == value)
    return list(rows if before is None else rows.where(Task.id < before))


def queue_position(task: Task) -> int | None:
    """Return the task's place in the queue: 1 runs next; None when it does not wait."""
    return queue_positions([task]).get(task.id)


def queue_positions(tasks: list[Task]) -> dict[int, int]:
    """Map the row id of each waiting task of ``tasks`` to its place in the queue."""
    waiting = [task.id for task in tasks if task.status == QUEUED]
    if not waiting:
        return {}
    up_to = Task.select(Task.id).where((Task.status == QUEUED) & (Task.id <= max(waiting))).order_by(Task.id)
    queue = [row.id for row in up_to]
    # A task that was claimed after its row was read was the next one at that time.
    return {row_id: max(1, bisect.bisect_right(queue, row_id)) for row_id in waiting}
