"""The tasks that are to end with their clients.

Their rows have ``waited_at``, which the web process renews while the client waits (app/waiting.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.db.connection import now
from app.core.db.states import IN_PROGRESS, QUEUED
from app.core.db.tasks import Task, update_one


@dataclass(frozen=True)
class Waiter:
    """A task whose client waits; ``waited_at`` is when it was last seen."""

    uuid: str
    waited_at: float


def list_all() -> list[Waiter]:
    """List the tasks that are to end with their clients."""
    waited = Task.waited_at.is_null(False) & Task.status.in_([QUEUED, IN_PROGRESS])
    return [
        Waiter(row.uuid, float(row.waited_at or 0.0)) for row in Task.select(Task.uuid, Task.waited_at).where(waited)
    ]


def renew(uuid: str) -> bool:
    """Note that the client of a task still waits for it."""
    return update_one(Task.update(waited_at=now()).where((Task.uuid == uuid) & Task.waited_at.is_null(False)))


def keep_task(uuid: str) -> bool:
    """Let a task go on, even if its client has gone."""
    return update_one(Task.update(waited_at=None).where((Task.uuid == uuid) & Task.waited_at.is_null(False)))
