"""Read pages of tasks and places in the queue."""

from __future__ import annotations

import bisect

from app.core.db.states import QUEUED
from app.core.db.tasks import Task


def list_tasks(most: int, before: int | None = None, **equal: str | int) -> list[Task]:
    """List up to ``most`` tasks, newest first.

    ``before``: only rows older than this row id. ``equal``: columns and the values that they must have.
    """
    # Pages start at a row id, not at an offset: new tasks must not shift the next page.
    rows = Task.select().order_by(Task.id.desc()).limit(most)
    for name, value in equal.items():
        rows = rows.where(getattr(Task, name) == value)
    return list(rows if before is None else rows.where(Task.id < before))


def queue_position(task: Task) -> int | None:
    """Return the task's place in the queue.

    1 runs next; None when the task is not waiting.
    """
    return queue_positions([task]).get(task.id)


def queue_positions(tasks: list[Task]) -> dict[int, int]:
    """Map waiting tasks to their places in the queue.

    The keys are row ids. Tasks that are not waiting are left out.
    """
    waiting = [(task.lane, task.id) for task in tasks if task.status == QUEUED]
    if not waiting:
        return {}
    # One query for all of them: a page shows up to 200 tasks.
    ahead = (Task.id <= max(waiting)[1]) | (Task.lane < max(waiting)[0])
    up_to = Task.select(Task.lane, Task.id).where((Task.status == QUEUED) & ahead).order_by(Task.lane, Task.id)
    queue: list[tuple[int, int]] = [(row.lane, row.id) for row in up_to]
    # A task that was claimed after its row was read is no longer in ``queue``; it was next at that time.
    return {row_id: max(1, bisect.bisect_right(queue, (lane, row_id))) for lane, row_id in waiting}
