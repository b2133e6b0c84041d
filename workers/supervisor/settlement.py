"""Write the outcome of a run to the database.

If there is no result, the files of the run are removed.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from app.core.db import leases, tasks
from app.core.db.tasks import Claim
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from workers.device.protocol import Failure, Outcome, Returned
from workers.supervisor import cleanup, measurement

log = logging.getLogger(__name__)

STORAGE_UNAVAILABLE, INSUFFICIENT = "storage_unavailable", "insufficient_storage"
TRIED_AGAIN = ("worker_crashed", INSUFFICIENT)


@dataclass(frozen=True)
class NodeLost:
    """The machine of a run was lost. ``message`` is for people; ``warnings`` are those of the task."""

    message: str
    warnings: list[str]


Verdict = Outcome | Failure | Returned | NodeLost | None


def settle(settings: Settings, claim: Claim, verdict: Verdict) -> None:
    """Commit a verdict.

    None returns the task to the queue: it was never started, or interrupted by a stop. Returned does so with the length of
    its recording.
    """
    if isinstance(verdict, Outcome):
        ours = tasks.complete(
            claim,
            verdict.result_type,
            verdict.result,
            verdict.warnings,
            verdict.duration,
            verdict.speaker_embeddings,
            verdict.speaker_turns,
            **verdict.facts,
        )
        if ours:
            measurement.record_stages(claim, verdict.stages)
        word = f"completed in {verdict.duration:.1f} s"
    elif verdict is None:
        ours, word = tasks.requeue(claim), "returned to the queue"
    elif isinstance(verdict, Returned):
        ours = tasks.requeue(claim, audio_duration=verdict.seconds)
        word = f"returned to the queue: {verdict.seconds:.0f} s are too long for the last place"
    elif isinstance(verdict, NodeLost):
        warnings = json.dumps(verdict.warnings)
        became = leases.retry_elsewhere(claim, verdict.message, settings.workers.retry_pause, warnings=warnings)
        ours, word = became is not None, f"{became}: {verdict.message}"
    elif is_storage_at_fault(settings, verdict):  # the task is not the cause, and any other one would fail as well
        ours = tasks.postpone(claim, settings.workers.retry_pause)
        word = f"returned to the queue: the storage is not available ({verdict.code})"
    elif verdict.again or verdict.code in TRIED_AGAIN:
        columns = {"warnings": json.dumps(verdict.warnings), "duration": verdict.duration} | verdict.facts
        lost = leases.retry_or_fail(claim, verdict.code, verdict.message, settings.workers.retry_pause, **columns)
        ours, word = lost is not None, f"{lost} ({verdict.code}: {verdict.message})"
    else:
        ours = tasks.fail(claim, verdict.code, verdict.message, verdict.warnings, verdict.duration, **verdict.facts)
        word = f"failed ({verdict.code})"
    if not isinstance(verdict, Outcome):
        cleanup.remove_claim_files(open_storage(settings), claim)
    log.info("task %s %s", claim.uuid, word if ours else "was cancelled, deleted or taken over; result discarded")
    if not ours:
        cleanup.remove_unwanted_files(open_storage(settings), claim.uuid)


def is_storage_at_fault(settings: Settings, failure: Failure) -> bool:
    """Whether the store does not answer, or the disk of this machine cannot hold what it borrows from it.

    Without a bucket, all processes use the same disk, so a task that finds no room there fails in the end.
    """
    return failure.code == STORAGE_UNAVAILABLE or (failure.code == INSUFFICIENT and bool(settings.storage.url))


def take_over_lost(settings: Settings, lost: list[leases.Lease]) -> None:
    """Take over the tasks of dead supervisors."""
    for lease in lost:
        became = leases.take_over(lease, "The service stopped while it ran this task.", settings.workers.retry_pause)
        if became:
            log.warning("task %s %s: %s is gone", lease.claim.uuid, became, lease.claim.holder)
            cleanup.remove_claim_files(open_storage(settings), lease.claim)


def requeue_unknown(settings: Settings, holder: str, known: set[tuple[str, int]]) -> None:
    """Requeue tasks that ``holder`` holds without knowing.

    This happens if the connection is lost while the database answers a claim. ``known`` are (uuid, claim number).
    """
    for uuid, claim_no in sorted(tasks.list_held(holder) - known):
        settle(settings, Claim(uuid, claim_no, holder), None)


def clean_up_run(settings: Settings, claim: Claim) -> None:
    """Remove the files of a run that was killed.

    Its task was cancelled, deleted or taken over.
    """
    cleanup.remove_claim_files(open_storage(settings), claim)
    cleanup.remove_unwanted_files(open_storage(settings), claim.uuid)
