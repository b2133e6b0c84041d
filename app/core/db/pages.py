"""Pages of the tasks of one contract, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app.core.db.tasks import Task


@dataclass(frozen=True)
class Conditions:
    """Which tasks to list.

    ``owner``: an API key; None for all. ``before`` and ``after`` are row ids, ``created`` seconds since 1970.
    """

    facade: str
    task_type: str
    statuses: tuple[str, ...]
    owner: int | None = None
    before: int | None = None
    after: int | None = None
    created: tuple[float, float] | None = None


def list_page(conditions: Conditions, most: int) -> list[Task]:
    """List up to ``most`` tasks, newest first; with ``after`` alone, those that follow it."""
    forward = conditions.after is not None and conditions.before is None
    order = Task.id if forward else Task.id.desc()
    rows = list(_select(conditions).order_by(order).limit(most))
    return rows[::-1] if forward else rows


def has_more(conditions: Conditions, before: int | None = None, after: int | None = None) -> bool:
    """Whether there are tasks before or after a row id."""
    return bool(_select(replace(conditions, before=before, after=after)).limit(1).exists())


def _select(conditions: Conditions) -> Any:
    rows = Task.select().where(
        (Task.facade == conditions.facade)
        & (Task.task_type == conditions.task_type)
        & Task.status.in_(list(conditions.statuses))
    )
    if conditions.owner is not None:
        rows = rows.where(Task.owner == conditions.owner)
    if conditions.before is not None:
        rows = rows.where(Task.id < conditions.before)
    if conditions.after is not None:
        rows = rows.where(Task.id > conditions.after)
    if conditions.created is not None:
        begin, end = conditions.created
        rows = rows.where((Task.created_at >= begin) & (Task.created_at < end))
    return rows
