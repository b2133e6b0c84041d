"""The task row and its changes of state.

Each change is one conditional UPDATE whose row count is checked: of several processes that try, one succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, AutoField, BooleanField, Case, CharField, DoubleField, IntegerField, Model, TextField

from app.core.db import partial, results, webhooks
from app.core.db.connection import begin_write, database, is_postgres, now
from app.core.db.states import CANCELLED, COMPLETED, FAILED, IN_PROGRESS, MAX_ATTEMPTS, QUEUED

LEASE_SECONDS = 30.0
CHANNEL = "task_changed"  # of PostgreSQL's NOTIFY
FAST_LANE, USUAL_LANE = 0, 1  # short tasks, for which a client waits, pass the others


class Task(Model):
    """One task.

    Times are seconds since 1970 by the database's clock, durations seconds.
    """

    id = AutoField()
    uuid = CharField(max_length=36, unique=True)
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    file_name = TextField(default="")
    params = TextField(default="{}")
    work = TextField(default="[]")  # its stages, as core/work.py writes them
    warnings = TextField(default="[]")
    result_type = CharField(max_length=16, null=True)
    error_code = CharField(max_length=64, null=True)
    error = TextField(null=True)
    stage = CharField(max_length=32, null=True)
    progress = DoubleField(default=0.0)
    language = CharField(max_length=16, null=True)
    audio_duration = DoubleField(null=True)
    duration = DoubleField(null=True)
    claim_no = IntegerField(default=0)  # grows with each claim
    crashes = IntegerField(default=0)
    lost_nodes = IntegerField(default=0)  # how often it returned to the queue because its node was lost
    holder = CharField(max_length=128, null=True)  # the supervisor or downloader that has the task
    lease_expires = DoubleField(null=True)
    created_at = DoubleField()
    started_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    files_purged_at = DoubleField(null=True)
    not_before = DoubleField(null=True)  # end of the pause after a crash
    source_url = TextField(null=True)  # set only while the recording is still to be downloaded (downloads.py)
    owner = IntegerField(null=True)  # the API key that submitted it; null without keys
    facade = CharField(max_length=16, null=True)  # whose contract the client spoke; null for the native one
    lane = IntegerField(default=USUAL_LANE)
    batch = CharField(max_length=36, null=True)
    fingerprint = CharField(max_length=64, null=True)  # of recording and parameters (submission/fingerprint.py)
    waited_at = DoubleField(null=True)  # set only while the task is to end with its client (waiting.py)
    webhook = TextField(null=True)  # who is informed of its end (core/webhooks.py), or webhooks.ANNOUNCED
    media_type = CharField(max_length=32, null=True)  # of the recording, as decoding has found it
    segments_changed = BooleanField(null=True)  # whether the result differs from the partial segments
    speaker_names = TextField(default="{}")  # name by label (speaker_names.py)
    changes = IntegerField(default=0)  # grows with each change that a client can see

    class Meta:
        database = database
        table_name = "task"

    @property
    def attempts(self) -> int:
        """The number of runs, including the current one.

        Unlike ``claim_no``, it does not count runs that a stop of the service interrupted.
        """
        return int(min(self.crashes + (self.started_at is not None), MAX_ATTEMPTS) + self.lost_nodes)


@dataclass(frozen=True)
class Claim:
    """A task held by ``holder``.

    Every change of a running task names its claim; ``claim_no`` fences off earlier holders.
    """

    uuid: str
    claim_no: int
    holder: str


def submit(
    uuid: str,
    task_type: str,
    params: dict[str, Any],
    file_name: str,
    warnings: list[str],
    **columns: Any,
) -> None:
    """Insert a QUEUED task and wake a supervisor.

    ``columns``: further ones of the row. With ``source_url``, the recording is downloaded from there first.
    """
    with begin_write():
        Task.insert(
            uuid=uuid,
            task_type=task_type,
            status=QUEUED,
            file_name=file_name,
            params=json.dumps(params),
            warnings=json.dumps(warnings),
            created_at=now(),
            **columns,
        ).execute()
        notify_listeners()


def notify_listeners() -> None:
    """Notify PostgreSQL's listeners at commit.

    SQLite needs no notification: other connections see every commit (notify.py).
    """
    if is_postgres(database):
        database.execute_sql(f"NOTIFY {CHANNEL}")


def get(uuid: str, owner: int | None = None) -> Task | None:
    """Read a task's row; None if there is none.

    ``owner``: only a task of this API key.
    """
    if "\0" in uuid:  # PostgreSQL rejects NUL, even in a comparison
        return None
    # One query for both: a task of another key takes as long as an unknown one.
    return Task.get_or_none((Task.uuid == uuid) & _is_owned(owner))


def count_queued(owner: int | None = None) -> int:
    """Count the waiting tasks, of one API key or of all."""
    return Task.select().where((Task.status == QUEUED) & _is_owned(owner)).count()


def _is_owned(owner: int | None) -> Any:
    return SQL("1 = 1") if owner is None else Task.owner == owner


def report(
    claim: Claim, stage: str, progress: float, first: int = 0, segments: Sequence[str] = (), **facts: Any
) -> bool:
    """Write stage, progress, known facts and new segments.

    ``facts``: ``language`` and ``audio_duration``, once known. Progress never falls, even when a second attempt starts
    over. ``segments`` are JSON text; ``first`` is the number of the first one.
    """
    highest = Case(None, [(Task.progress < progress, progress)], Task.progress)
    changed = Task.update(stage=stage, progress=highest, changes=Task.changes + 1, **facts)
    if not segments:
        return update_one(changed.where(is_held_by(claim)))
    with begin_write():
        ours = update_one(changed.where(is_held_by(claim)))
        if ours:
            partial.store(claim.uuid, claim.claim_no, first, segments)
    return ours


def complete(
    claim: Claim,
    result_type: str,
    result: str,
    warnings: list[str],
    duration: float,
    speaker_embeddings: str | None = None,
    speaker_turns: str | None = None,
    **facts: Any,
) -> bool:
    """IN_PROGRESS → COMPLETED, with the result stored.

    Returns False, with nothing written, when ``claim`` no longer holds the task. The result, the speaker embeddings and
    the turns of the speakers (all JSON text) are stored in the same transaction.
    """
    with begin_write():
        ours = _finish(
            claim,
            status=COMPLETED,
            result_type=result_type,
            progress=1.0,
            warnings=json.dumps(warnings),
            duration=duration,
            **facts,
        )
        if ours:
            results.store(claim.uuid, result, speaker_embeddings, speaker_turns)
            partial.remove(claim.uuid)
    return ours


def fail(claim: Claim, code: str, message: str, warnings: list[str], duration: float | None, **facts: Any) -> bool:
    """IN_PROGRESS → FAILED.

    ``code`` is for programs, ``message`` for people. Returns False when ``claim`` no longer holds the task.
    """
    return _finish(
        claim,
        status=FAILED,
        error_code=code,
        error=message,
        warnings=json.dumps(warnings),
        duration=duration,
        **facts,
    )


def requeue(claim: Claim, **facts: Any) -> bool:
    """IN_PROGRESS → QUEUED, without counting a crash.

    The task keeps its place in the queue. ``facts`` are columns that the run has found.
    """
    return update_one(Task.update(queued_values(), **facts).where(is_held_by(claim)))


def postpone(claim: Claim, pause: float) -> bool:
    """IN_PROGRESS → QUEUED for at least ``pause`` seconds, without counting a crash.

    The task keeps its place in the queue.
    """
    return update_one(Task.update(queued_values() | {Task.not_before: now() + pause}).where(is_held_by(claim)))


def cancel(uuid: str, unless_waited_since: float | None = None) -> bool:
    """QUEUED or IN_PROGRESS → CANCELLED.

    Returns False when the task has ended or does not exist, or if a client waits since ``unless_waited_since``. Its
    supervisor no longer finds it in ``list_held`` and kills the process that runs it.
    """
    cancelled = Task.update(status=CANCELLED, duration=now() - Task.started_at, **ended_values())
    unended = (Task.uuid == uuid) & Task.status.in_([QUEUED, IN_PROGRESS])
    if unless_waited_since is not None:
        unended &= Task.waited_at == unless_waited_since
    with begin_write():
        notify_listeners()
        return end(uuid, cancelled.where(unended))


def delete(uuid: str) -> bool:
    """Delete a task in any state.

    The database deletes its result and renderings, too. A message about its end is no longer sent. Returns False when
    there is no such task.
    """
    with begin_write():
        notify_listeners()
        webhooks.remove(uuid)
        return update_one(Task.delete().where(Task.uuid == uuid))


def list_held(holder: str) -> set[tuple[str, int]]:
    """Return (uuid, claim_no) of each task that ``holder`` runs."""
    rows = Task.select(Task.uuid, Task.claim_no).where((Task.status == IN_PROGRESS) & (Task.holder == holder))
    return {(row.uuid, row.claim_no) for row in rows}


def queued_values() -> dict[Any, Any]:
    """Return the columns to set when requeuing a task."""
    return {
        Task.status: QUEUED,
        Task.holder: None,
        Task.lease_expires: None,
        Task.stage: None,
        Task.started_at: None,
        Task.changes: Task.changes + 1,
    }


def is_held_by(claim: Claim) -> Any:
    """Match the row only while ``claim`` holds the task."""
    ours = (Task.uuid == claim.uuid) & (Task.claim_no == claim.claim_no) & (Task.holder == claim.holder)
    return ours & (Task.status == IN_PROGRESS)


def _finish(claim: Claim, **values: Any) -> bool:
    return end(claim.uuid, Task.update(**values, **ended_values()).where(is_held_by(claim)))


def end(uuid: str, update: Any) -> bool:
    """Run ``update``, which ends a task; put the message about it into the outbox.

    Both happen in one transaction, or neither does. Returns False when another process was first.
    """
    with begin_write():
        if not update_one(update):
            return False
        row = Task.get(Task.uuid == uuid)
        if row.webhook is not None:
            webhooks.add(row)
            Task.update(webhook=webhooks.ANNOUNCED).where(Task.uuid == uuid).execute()
            notify_listeners()
    return True


def ended_values() -> dict[str, Any]:
    """Return the columns to set when a task ends. Run the update by ``end``."""
    return {
        "finished_at": now(),
        "stage": None,
        "holder": None,
        "lease_expires": None,
        "waited_at": None,
        "changes": Task.changes + 1,
    }


def update_one(update: Any) -> bool:
    """Run ``update``; return whether it changed its row.

    If not, another process was first.
    """
    return bool(update.execute() == 1)
