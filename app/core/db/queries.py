"""Look at the ledger without the results, which may be megabytes each: one row, a page of them, places in the queue."""

from __future__ import annotations

import bisect

from app.core.db.states import QUEUED
from app.core.db.tasks import Task

LONG = ("result", "speaker_embeddings")
FACTS = [field for field in Task._meta.sorted_fields if field.name not in LONG]


def facts(uuid: str) -> Task | None:
    """The row without its result."""
    if "\0" in uuid:  # PostgreSQL takes no NUL, not even to compare with
        return None
    found: Task | None = Task.select(*FACTS).where(Task.uuid == uuid).first()
    return found


def listed(most: int, before: int | None = None, **equal: str) -> list[Task]:
    """Up to ``most`` rows, newest first: those older than row ``before`` whose columns are ``equal`` to what is given."""
    rows = Task.select(*FACTS).order_by(Task.id.desc()).limit(most)
    for name, value in equal.items():
        rows = rows.where(getattr(Task, name) == value)
    return list(rows if before is None else rows.where(Task.id < before))


def queue_position(task: Task) -> int | None:
    """1 for the task that runs next, null for one that does not wait."""
    return queue_positions([task]).get(task.id)


def queue_positions(tasks: list[Task]) -> dict[int, int]:
    """Row id → place in the queue, for those of ``tasks`` that wait."""
    waiting = [task.id for task in tasks if task.status == QUEUED]
    if not waiting:
        return {}
    up_to = Task.select(Task.id).where((Task.status == QUEUED) & (Task.id <= max(waiting))).order_by(Task.id)
    queue = [row.id for row in up_to]
    # one that was claimed after its row was read was the next one when it was read
    return {row_id: max(1, bisect.bisect_right(queue, row_id)) for row_id in waiting}
