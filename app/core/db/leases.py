"""Leases and lost attempts: a lost task runs again after a pause, and fails at its third loss.

A supervisor renews the leases of the tasks that it runs. Another supervisor takes over only leases that are lost
(workers/supervisor/lease_watch.py) and unchanged since: a holder that renews in between keeps its task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Case

from app.core.db.connection import begin_write, now
from app.core.db.states import FAILED, IN_PROGRESS, MAX_ATTEMPTS
from app.core.db.tasks import LEASE_SECONDS, Claim, Task, ended_values, is_held_by, queued_values, update_one

REQUEUED = "requeued"
GIVEN_UP = "failed"


@dataclass(frozen=True)
class Lease:
    """A claim and the time at which its lease expires."""

    claim: Claim
    expires: float


def renew(holder: str) -> int:
    """Extend the leases of ``holder`` and return how many tasks it still holds."""
    held = (Task.holder == holder) & (Task.status == IN_PROGRESS)
    return int(Task.update(lease_expires=now() + LEASE_SECONDS).where(held).execute())


def list_other_leases(holder: str) -> list[Lease]:
    """List the leases of all other supervisors."""
    running = (Task.status == IN_PROGRESS) & (Task.holder != holder)
    rows = Task.select(Task.uuid, Task.claim_no, Task.holder, Task.lease_expires).where(running)
    return [Lease(Claim(row.uuid, row.claim_no, str(row.holder)), float(row.lease_expires or 0.0)) for row in rows]


def retry_or_fail(claim: Claim, code: str, message: str, pause: float, **facts: Any) -> str | None:
    """IN_PROGRESS → QUEUED after ``pause`` seconds, twice as long the second time; FAILED the third time.

    Returns AGAIN or OVER, or None when the task is no longer this claim's.
    """
    return _lose(is_held_by(claim), code, message, pause, **facts)


def take_over(lease: Lease, message: str, pause: float) -> str | None:
    """Do the same for a dead holder's task; None when the holder has renewed its lease or ended the task."""
    return _lose(is_held_by(lease.claim) & (Task.lease_expires == lease.expires), "worker_crashed", message, pause)


def _lose(lost: Any, code: str, message: str, pause: float, **facts: Any) -> str | None:
    with begin_write():
        say = f"{message} Giving up after {MAX_ATTEMPTS} attempts."
        over = Task.update(
            status=FAILED, error_code=code, error=say, **facts, crashes=Task.crashes + 1, **ended_values()
        )
        if update_one(over.where(lost, Task.crashes >= MAX_ATTEMPTS - 1)):
            return GIVEN_UP
        longer = Case(Task.crashes, [(number, now() + pause * 2**number) for number in range(MAX_ATTEMPTS)])
        again = Task.update(queued_values() | {Task.crashes: Task.crashes + 1, Task.not_before: longer})
        return REQUEUED if update_one(again.where(lost)) else None
