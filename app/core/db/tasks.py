"""The task row and every way it may change: each one a conditional UPDATE whose row count says who was first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from peewee import AutoField, Case, CharField, DoubleField, IntegerField, Model, TextField

from app.core.db.connection import database, is_postgres, now, write
from app.core.db.states import CANCELLED, COMPLETED, FAILED, IN_PROGRESS, MAX_ATTEMPTS, QUEUED

LEASE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0
CHANNEL = "task_changed"


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
    speaker_embeddings = TextField(null=True)
    duration = DoubleField(null=True)
    claim_no = IntegerField(default=0)
    crashes = IntegerField(default=0)
    holder = CharField(max_length=128, null=True)
    lease_expires = DoubleField(null=True)
    created_at = DoubleField()
    started_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    files_purged_at = DoubleField(null=True)
    not_before = DoubleField(null=True)  # the pause after a lost attempt
    source_url = TextField(null=True)  # while the recording is still to be downloaded (download.py), and no longer

    class Meta:
        database = database
        table_name = "task"

    @property
    def attempts(self) -> int:
        """How many runs it has had, this one included; those that a stop gave back do not count, unlike in ``claim_no``."""
        return int(min(self.crashes + (self.started_at is not None), MAX_ATTEMPTS))


@dataclass(frozen=True)
class Claim:
    """A task held by ``holder``: what it must name to change the row. ``claim_no`` fences off every earlier holder."""

    uuid: str
    claim_no: int
    holder: str


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
    """Within a transaction: tell PostgreSQL's listeners that something is queued or ended; SQLite's see every commit."""
    if is_postgres(database):
        database.execute_sql(f"NOTIFY {CHANNEL}")


def get(uuid: str) -> Task | None:
    # PostgreSQL takes no NUL, not even to compare with
    return None if "\0" in uuid else Task.get_or_none(Task.uuid == uuid)


def queued() -> int:
    """How many tasks wait."""
    return Task.select().where(Task.status == QUEUED).count()


def claim(holder: str) -> Task | None:
    """Move the oldest QUEUED task whose recording is here to IN_PROGRESS for ``holder``; None when nothing waits."""
    ready = (Task.status == QUEUED) & Task.source_url.is_null() & _pause_over()
    if oldest(ready).scalar() is None:  # a plain read: an idle poll must not take the write lock
        return None
    with write():
        task_id = locked(oldest(ready))
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
        ).where((Task.id == task_id) & ready).execute()
        return Task.get_by_id(task_id)


def oldest(condition: Any) -> Any:
    """The query for the id of the first task in the queue that ``condition`` holds for."""
    return Task.select(Task.id).where(condition).order_by(Task.id).limit(1)


def locked(query: Any) -> int | None:
    """Within ``write``: the id that the query finds, kept from other claimers; what one of them has locked is passed over."""
    found: int | None = (query.for_update("FOR UPDATE SKIP LOCKED") if is_postgres(database) else query).scalar()
    return found


def report(claim: Claim, stage: str, progress: float, **facts: Any) -> bool:
    """Write stage, progress and what is known so far (``language``, ``audio_duration``).

    Progress never falls, not even when a second attempt begins again from the start.
    """
    highest = Case(None, [(Task.progress < progress, progress)], Task.progress)
    return changed(Task.update(stage=stage, progress=highest, **facts).where(held_by(claim)))


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
    return changed(Task.update(in_queue()).where(held_by(claim)))


def cancel(uuid: str) -> bool:
    """QUEUED or IN_PROGRESS → CANCELLED; False when the task has ended before, or there is none.

    Whoever runs it finds it missing among what it holds, and ends the process at work on it.
    """
    cancelled = Task.update(status=CANCELLED, duration=now() - Task.started_at, **ended())
    return _changed_and_told(cancelled.where((Task.uuid == uuid) & Task.status.in_([QUEUED, IN_PROGRESS])))


def delete(uuid: str) -> bool:
    """Remove the row, in whatever state it is; False when somebody else has. Whoever runs it notices as with ``cancel``."""
    return _changed_and_told(Task.delete().where(Task.uuid == uuid))


def held(holder: str) -> set[tuple[str, int]]:
    """(uuid, claim_no) of all that ``holder`` may still write a result for."""
    rows = Task.select(Task.uuid, Task.claim_no).where((Task.status == IN_PROGRESS) & (Task.holder == holder))
    return {(row.uuid, row.claim_no) for row in rows}


def in_queue() -> dict[Any, Any]:
    """What a row holds that is back in the queue."""
    return {
        Task.status: QUEUED,
        Task.holder: None,
        Task.lease_expires: None,
        Task.stage: None,
        Task.started_at: None,
    }


def _pause_over() -> Any:
    """A pause further ahead than any can be was written before the ledger's clock was set back."""
    due = (Task.not_before <= now()) | (Task.not_before > now() + LONGEST_PAUSE_SECONDS)
    return Task.not_before.is_null() | due


def held_by(claim: Claim) -> Any:
    """The condition that nobody has taken the task from ``claim``."""
    ours = (Task.uuid == claim.uuid) & (Task.claim_no == claim.claim_no) & (Task.holder == claim.holder)
    return ours & (Task.status == IN_PROGRESS)


def _finish(claim: Claim, **values: Any) -> bool:
    return changed(Task.update(**values, **ended()).where(held_by(claim)))


def ended() -> dict[str, Any]:
    """What every row holds that has come to its end."""
    return {"finished_at": now(), "stage": None, "holder": None, "lease_expires": None}


def changed(update: Any) -> bool:
    """Whether the row was still as the condition wants it: zero rows means that somebody else was first."""
    return bool(update.execute() == 1)


def _changed_and_told(change: Any) -> bool:
    with write():
        wake()
        return changed(change)
