"""Claim tasks for a supervisor, in the order of the queue.

A task whose run crashed may be what crashes processes. It gets a process of its own, so that it does no harm to others.
"""

from __future__ import annotations

from typing import Any

from peewee import SQL

from app.core.db.connection import begin_write, database, is_postgres, now
from app.core.db.states import IN_PROGRESS, QUEUED
from app.core.db.tasks import LEASE_SECONDS, Task

LONGEST_PAUSE_SECONDS = 3600.0  # no pause is longer: workers.retry_pause is at most 900 s, and doubled


def claim(holder: str, shared: bool = False, longest: float | None = None) -> Task | None:
    """Claim the oldest task that is ready to run.

    QUEUED → IN_PROGRESS. Returns None when no task is ready. A task whose run crashed comes first: behind new tasks it
    could wait for an empty process for ever.

    ``shared``: the process has other tasks, so such a task is not claimed. ``longest``: only tasks whose recording has
    up to this many seconds, or an unknown length.
    """
    ready = _is_ready()
    if shared:
        ready &= Task.crashes == 0
    if longest is not None:
        ready &= Task.audio_duration.is_null() | (Task.audio_duration <= longest)
    if select_oldest(ready).scalar() is None:  # a plain read: idle polling must not take the write lock
        return None
    with begin_write():
        # Select again: another supervisor may have claimed the task since.
        task_id = None if shared else lock_first(select_oldest(ready & _has_crashed()))
        if task_id is None:
            task_id = lock_first(select_oldest(ready))
        if task_id is None:
            return None
        Task.update(
            status=IN_PROGRESS,
            holder=holder,
            claim_no=Task.claim_no + 1,
            lease_expires=now() + LEASE_SECONDS,
            started_at=now(),
            not_before=None,
            stage=None,
            changes=Task.changes + 1,
        ).where((Task.id == task_id) & ready).execute()
        return Task.get_by_id(task_id)


def has_lone() -> bool:
    """Whether a task is ready that has to run alone in its process."""
    return select_oldest(_is_ready() & _has_crashed()).scalar() is not None


def count_ready(most: int) -> int:
    """Count the tasks that are ready to run, up to ``most``."""
    return int(Task.select(Task.id).where(_is_ready()).limit(most).count())


def select_oldest(condition: Any) -> Any:
    """Build the query for the oldest matching task.

    It selects the id of the first task in queue order that meets ``condition``.
    """
    return Task.select(Task.id).where(condition).order_by(Task.lane, Task.id).limit(1)


def lock_first(query: Any) -> int | None:
    """Return the id that ``query`` finds, its row locked.

    The lock lasts until commit; rows that others have locked are skipped.
    """
    found: int | None = (query.for_update("FOR UPDATE SKIP LOCKED") if is_postgres(database) else query).scalar()
    return found


def _is_ready() -> Any:
    # Without a parameter, like the condition of the index task_ready: SQLite then needs to plan the query only once.
    is_queued = SQL(f"status = '{QUEUED}'")
    return is_queued & Task.source_url.is_null() & _is_pause_over()


def _has_crashed() -> Any:
    return SQL("crashes > 0")  # the condition of the index task_crashed


def _is_pause_over() -> Any:
    """Match tasks whose pause is over, or without one.

    A pause that ends later than any pause can was written before the database's clock was set back.
    """
    due = (Task.not_before <= now()) | (Task.not_before > now() + LONGEST_PAUSE_SECONDS)
    return Task.not_before.is_null() | due
