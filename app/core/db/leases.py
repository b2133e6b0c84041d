"""Leases, and retries of tasks whose run crashed.

A task whose run crashed runs again after a pause, and fails after MAX_ATTEMPTS crashes. The loss of a node is no crash:
the task is hardly its cause. It fails after MAX_LOST_NODES of them, in case it is.

A supervisor renews the leases of the tasks that it runs. Another supervisor takes over a task only when
workers/supervisor/lease_watch.py reports its lease as lost and the lease has not changed since: a holder that renews
in between keeps its task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Case

from app.core.db.connection import begin_write, now
from app.core.db.states import FAILED, IN_PROGRESS, MAX_ATTEMPTS, MAX_LOST_NODES
from app.core.db.tasks import LEASE_SECONDS, Claim, Task, end, ended_values, is_held_by, queued_values, update_one

REQUEUED = "requeued"
GIVEN_UP = "failed"
WORKER_CRASHED = "worker_crashed"


@dataclass(frozen=True)
class Lease:
    """A claim and its expiry time.

    ``expires`` is in seconds since 1970 by the database's clock.
    """

    claim: Claim
    expires: float


def renew(holder: str) -> int:
    """Extend the leases of ``holder``.

    Returns the number of tasks that it still holds.
    """
    held = (Task.holder == holder) & (Task.status == IN_PROGRESS)
    return int(Task.update(lease_expires=now() + LEASE_SECONDS).where(held).execute())


def list_other_leases(holder: str) -> list[Lease]:
    """List the leases of all other supervisors."""
    running = (Task.status == IN_PROGRESS) & (Task.holder != holder)
    rows = Task.select(Task.uuid, Task.claim_no, Task.holder, Task.lease_expires).where(running)
    return [Lease(Claim(row.uuid, row.claim_no, str(row.holder)), float(row.lease_expires or 0.0)) for row in rows]


def retry_or_fail(claim: Claim, code: str, message: str, pause: float, **facts: Any) -> str | None:
    """Requeue a task whose run crashed, or fail it.

    IN_PROGRESS → QUEUED with a pause: ``pause`` seconds after the first crash, twice as long after the second. After
    MAX_ATTEMPTS crashes, IN_PROGRESS → FAILED with ``code``, ``message`` and ``facts``.

    Returns REQUEUED or GIVEN_UP, or None when ``claim`` no longer holds the task.
    """
    return _requeue_or_fail(claim.uuid, is_held_by(claim), code, message, pause, **facts)


def retry_elsewhere(claim: Claim, message: str, pause: float, **facts: Any) -> str | None:
    """Requeue a task whose node was lost, or fail it.

    IN_PROGRESS → QUEUED for at least ``pause`` seconds, without counting a crash. With the loss of node MAX_LOST_NODES,
    IN_PROGRESS → FAILED with ``worker_crashed``, ``message`` and ``facts``.

    Returns like ``retry_or_fail``.
    """
    held = is_held_by(claim)
    with begin_write():
        say = f"{message} Giving up after {MAX_LOST_NODES} lost nodes."
        over = Task.update(status=FAILED, error_code=WORKER_CRASHED, error=say, **facts, **ended_values())
        if end(claim.uuid, over.where(held, Task.lost_nodes >= MAX_LOST_NODES - 1)):
            return GIVEN_UP
        counted = {Task.lost_nodes: Task.lost_nodes + 1, Task.not_before: now() + pause}
        return REQUEUED if update_one(Task.update(queued_values() | counted).where(held)) else None


def take_over(lease: Lease, message: str, pause: float) -> str | None:
    """Requeue or fail a dead supervisor's task.

    Returns None when the holder has renewed its lease or ended the task; otherwise like ``retry_or_fail``.
    """
    lost = is_held_by(lease.claim) & (Task.lease_expires == lease.expires)
    return _requeue_or_fail(lease.claim.uuid, lost, WORKER_CRASHED, message, pause)


def _requeue_or_fail(uuid: str, lost: Any, code: str, message: str, pause: float, **facts: Any) -> str | None:
    with begin_write():
        # Each UPDATE tests ``lost`` again: the row may have changed since the caller read it.
        say = f"{message} Giving up after {MAX_ATTEMPTS} attempts."
        over = Task.update(
            status=FAILED, error_code=code, error=say, **facts, crashes=Task.crashes + 1, **ended_values()
        )
        if end(uuid, over.where(lost, Task.crashes >= MAX_ATTEMPTS - 1)):
            return GIVEN_UP
        # The database computes the pause from the row's own count, which is not known here.
        longer = Case(Task.crashes, [(number, now() + pause * 2**number) for number in range(MAX_ATTEMPTS)])
        again = Task.update(queued_values() | {Task.crashes: Task.crashes + 1, Task.not_before: longer})
        return REQUEUED if update_one(again.where(lost)) else None
