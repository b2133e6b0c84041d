"""The task row and every way it may change: each one a conditional UPDATE whose row count says who was first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from peewee import AutoField, Case, CharField, DoubleField, IntegerField, Model, TextField

from app.ledger.db import database, is_postgres, now, write
from app.ledger.states import COMPLETED, FAILED, IN_PROGRESS, QUEUED, TERMINAL

LEASE_SECONDS = 30.0
MAX_CRASHES = 3
CHANNEL = "task_queued"


class Task(Model):
    """One piece of work. Times are seconds since 1970 by the ledger's clock, durations seconds."""

    id = AutoField()
    uuid = CharField(max_length=36, unique=True)
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    file_name = TextField(default="")
    params = TextField(default="{}")
    warnings = TextField(default="[]")
    result_type = CharField(max_length=16, null=True)
    result = TextField(null=True)
    error_code = CharField(max_length=64, null=True)
    error = TextField(null=True)
    stage = CharField(max_length=32, null=True)
    progress = DoubleField(default=0.0)
    language = CharField(max_length=16, null=True)
    audio_duration = DoubleField(null=True)
    duration = DoubleField(null=True)
    attempt = IntegerField(default=0)
    crashes = IntegerField(default=0)
    owner = CharField(max_length=128, null=True)
    lease_expires = DoubleField(null=True)
    created_at = DoubleField()
    started_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    files_purged_at = DoubleField(null=True)
    source_url = TextField(null=True)  # while the recording is still to be downloaded (download.py), and no longer

    class Meta:
        database = database
        table_name = "task"


@dataclass(frozen=True)
class Claim:
    """A task held by ``owner``: what it must name to change the row. ``attempt`` fences off every earlier holder."""

    uuid: str
    attempt: int
    owner: str


def submit(
    uuid: str,
    task_type: str,
    params: dict[str, Any],
    file_name: str,
    warnings: list[str],
    source_url: str | None = None,
) -> None:
    """Commit a QUEUED row and wake a waiting supervisor; with ``source_url``, its recording is to be downloaded first."""
    with write():
        Task.insert(
            uuid=uuid,
            task_type=task_type,
            status=QUEUED,
            file_name=file_name,
            params=json.dumps(params),
            warnings=json.dumps(warnings),
            created_at=now(),
            **({"source_url": source_url} if source_url else {}),
        ).execute()
        wake()


def wake() -> None:
    """Within a transaction: tell PostgreSQL's listeners that it queued something; SQLite's see every commit."""
    if is_postgres(database):
        database.execute_sql(f"NOTIFY {CHANNEL}")


def get(uuid: str) -> Task | None:
    if "\0" in uuid:  # PostgreSQL takes no NUL, not even to compare with
        return None
    return Task.get_or_none(Task.uuid == uuid)


def queued() -> int:
    """How many tasks wait."""
    return Task.select().where(Task.status == QUEUED).count()


def queue_position(task: Task) -> int | None:
    """1 for the task that runs next, null for one that does not wait."""
    if task.status != QUEUED:
        return None
    return Task.select().where((Task.status == QUEUED) & (Task.id <= task.id)).count()


def claim(owner: str) -> Task | None:
    """Move the oldest QUEUED task whose recording is here to IN_PROGRESS for ``owner``; None when nothing waits."""
    ready = (Task.status == QUEUED) & Task.source_url.is_null()
    waiting = Task.select(Task.id).where(ready).order_by(Task.id).limit(1)
    if waiting.scalar() is None:  # a plain read: an idle poll must not take the write lock
        return None
    with write():
        oldest = waiting
        if is_postgres(database):
            oldest = waiting.for_update("FOR UPDATE SKIP LOCKED")  # type: ignore[arg-type]
        task_id = oldest.scalar()
        if task_id is None:
            return None
        Task.update(
            status=IN_PROGRESS,
            owner=owner,
            attempt=Task.attempt + 1,
            lease_expires=now() + LEASE_SECONDS,
            started_at=now(),
            stage=None,
        ).where((Task.id == task_id) & ready).execute()
        return Task.get_by_id(task_id)


def report(claim: Claim, stage: str, progress: float, **facts: Any) -> bool:
    """Write stage, progress and what is known so far (``language``, ``audio_duration``).

    Progress never falls, not even when a second attempt begins again from the start.
    """
    highest = Case(None, [(Task.progress < progress, progress)], Task.progress)
    return _changed(Task.update(stage=stage, progress=highest, **facts).where(_held(claim)))


def complete(claim: Claim, result_type: str, result: str, warnings: list[str], duration: float, **facts: Any) -> bool:
    """IN_PROGRESS → COMPLETED with ``result`` (JSON text); False when the task is no longer this claim's."""
    return _finish(
        claim,
        status=COMPLETED,
        result_type=result_type,
        result=result,
        progress=1.0,
        warnings=json.dumps(warnings),
        duration=duration,
        **facts,
    )


def fail(claim: Claim, code: str, message: str, warnings: list[str], duration: float | None, **facts: Any) -> bool:
    """IN_PROGRESS → FAILED with a word for programs and a sentence for people."""
    return _finish(
        claim,
        status=FAILED,
        error_code=code,
        error=message,
        warnings=json.dumps(warnings),
        duration=duration,
        **facts,
    )


def requeue(claim: Claim) -> bool:
    """IN_PROGRESS → QUEUED at its old place in the queue; a stop that was asked for is not the task's fault."""
    return _changed(Task.update(_waiting()).where(_held(claim)))


def renew(owner: str) -> int:
    """Extend the leases of all that ``owner`` runs; the number of tasks it still holds."""
    held = (Task.owner == owner) & (Task.status == IN_PROGRESS)
    renewed: int = Task.update(lease_expires=now() + LEASE_SECONDS).where(held).execute()
    return renewed


def recover(owner: str | None = None) -> tuple[int, int]:
    """Take back what nobody runs: tasks whose lease is over, or all of ``owner`` once it is known to be dead.

    Returns (requeued, failed): each loss counts against the task, and the third one ends it as ``worker_crashed``.
    """
    lost = Task.status == IN_PROGRESS
    lost &= (Task.owner == owner) if owner else (Task.lease_expires < now())
    with write():
        failed = (
            Task.update(
                status=FAILED,
                crashes=Task.crashes + 1,
                error_code="worker_crashed",
                error=f"The process running this task was lost {MAX_CRASHES} times; it is not tried again.",
                finished_at=now(),
                stage=None,
                owner=None,
                lease_expires=None,
            )
            .where(lost, Task.crashes >= MAX_CRASHES - 1)
            .execute()
        )
        requeued = Task.update(_waiting() | {Task.crashes: Task.crashes + 1}).where(lost).execute()
    return requeued, failed


def _waiting() -> dict[Any, Any]:
    return {
        Task.status: QUEUED,
        Task.owner: None,
        Task.lease_expires: None,
        Task.stage: None,
        Task.started_at: None,
    }


def _held(claim: Claim) -> Any:
    return (
        (Task.uuid == claim.uuid)
        & (Task.status == IN_PROGRESS)
        & (Task.attempt == claim.attempt)
        & (Task.owner == claim.owner)
    )


def _finish(claim: Claim, **values: Any) -> bool:
    finished = Task.update(**values, finished_at=now(), stage=None, owner=None, lease_expires=None)
    return _changed(finished.where(_held(claim)))


def _changed(update: Any) -> bool:
    """Whether the row was still as the condition wants it: zero rows means that somebody else was first."""
    return bool(update.execute() == 1)


def purgeable(ttl: float, most: int) -> list[str]:
    """Identifiers of up to ``most`` tasks that ended over ``ttl`` seconds ago and whose files are still kept."""
    due = (Task.finished_at < now() - ttl) & Task.files_purged_at.is_null() & Task.status.in_(TERMINAL)
    return [row.uuid for row in Task.select(Task.uuid).where(due).order_by(Task.id).limit(most)]


def purged(uuid: str) -> None:
    """Note that the files of a task are gone."""
    Task.update(files_purged_at=now()).where(Task.uuid == uuid).execute()
