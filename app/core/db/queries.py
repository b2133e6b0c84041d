"""Read pages of tasks and places in the queue."""

from __future__ import annotations

import bisect
from typing import Any

from peewee import fn

from app.core.db import search
from app.core.db.connection import database, is_postgres
from app.core.db.states import QUEUED
from app.core.db.tasks import Task


def list_tasks(most: int, before: int | None = None, searched: str = "", **equal: str | int) -> list[Task]:
    """List up to ``most`` tasks, newest first.

    ``before``: only rows older than this row id. ``searched``: only tasks whose file name contains this text, in upper or
    lower case. ``equal``: columns and the values that they must have.
    """
    # Pages start at a row id, not at an offset: new tasks must not shift the next page.
    rows = Task.select().order_by(Task.id.desc()).limit(most)
    for name, value in equal.items():
        rows = rows.where(getattr(Task, name) == value)
    if searched:
        rows = rows.where(_contains(Task.file_name, searched))
    return list(rows if before is None else rows.where(Task.id < before))


def _contains(column: Any, text: str) -> Any:
    if is_postgres(database):
        return fn.STRPOS(fn.LOWER(fn.NORMALIZE(column)), search.fold(text)) > 0
    return getattr(fn, search.FUNCTION)(column, search.fold(text))


def queue_position(task: Task) -> int | None:
    """Return the task's place in the queue.

    1 runs next; None when the task is not waiting.
    """
    return queue_positions([task]).get(task.id)


def queue_positions(tasks: list[Task]) -> dict[int, int]:
    """Map waiting tasks to their places in the queue.

    The keys are row ids. Tasks that are not waiting are left out.
    """
    waiting = {task.id: (task.lane, task.id) for task in tasks if task.status == QUEUED}
    if not waiting:
        return {}
    # One query for all of them: a page shows up to 200 tasks.
    queue = list(select_queue(max(waiting.values()), Task.lane, Task.id))
    # A task that was claimed after its row was read is no longer in ``queue``; it was next at that time.
    return {row_id: max(1, bisect.bisect_right(queue, place)) for row_id, place in waiting.items()}


def select_queue(last: tuple[int, int], *columns: Any) -> Any:
    """Build the query for the waiting tasks up to the place ``last`` (lane and row id), in order.

    It gives tuples of ``columns``.
    """
    lane, row_id = last
    up_to = (Task.lane < lane) | ((Task.lane == lane) & (Task.id <= row_id))
    return Task.select(*columns).where((Task.status == QUEUED) & up_to).order_by(Task.lane, Task.id).tuples()
