"""Write the outcome of a run to the database.

If there is no result, the files of the run are removed.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from app.core.db import leases, tasks
from app.core.db.tasks import Claim
from app.core.settings import Settings
from workers.device.protocol import Failure, Outcome
from workers.supervisor import cleanup, measurement

log = logging.getLogger(__name__)

TRIED_AGAIN = ("worker_crashed", "insufficient_storage")
Verdict = Outcome | Failure | None


def settle(settings: Settings, claim: Claim, verdict: Verdict) -> None:
    """Commit a verdict.

    None returns the task to the queue: it was never started, or interrupted by a stop.
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
    elif verdict.again or verdict.code in TRIED_AGAIN:
        columns = {"warnings": json.dumps(verdict.warnings), "duration": verdict.duration} | verdict.facts
        lost = leases.retry_or_fail(claim, verdict.code, verdict.message, settings.workers.retry_pause, **columns)
        ours, word = lost is not None, f"{lost} ({verdict.code}: {verdict.message})"
    else:
        ours = tasks.fail(claim, verdict.code, verdict.message, verdict.warnings, verdict.duration, **verdict.facts)
        word = f"failed ({verdict.code})"
    if not isinstance(verdict, Outcome):
        cleanup.remove_claim_files(settings.cache.path, claim)
    log.info("task %s %s", claim.uuid, word if ours else "was cancelled, deleted or taken over; result discarded")
    if not ours:
        cleanup.remove_unwanted_files(settings.cache.path, claim.uuid)


def take_over_lost(settings: Settings, lost: list[leases.Lease]) -> None:
    """Take over the tasks of dead supervisors."""
    for lease in lost:
        became = leases.take_over(lease, "The service stopped while it ran this task.", settings.workers.retry_pause)
        if became:
            log.warning("task %s %s: %s is gone", lease.claim.uuid, became, lease.claim.holder)
            cleanup.remove_claim_files(settings.cache.path, lease.claim)


def requeue_unknown(settings: Settings, holder: str, known: set[tuple[str, int]]) -> None:
    """Requeue tasks that ``holder`` holds without knowing.

    This happens if the connection is lost while the database answers a claim. ``known`` are (uuid, claim number).
    """
    for uuid, claim_no in sorted(tasks.list_held(holder) - known):
        settle(settings, Claim(uuid, claim_no, holder), None)


def clean_up_run(cache: Path, claim: Claim) -> None:
    """Remove the files of a run that was killed.

    Its task was cancelled, deleted or taken over.
    """
    cleanup.remove_claim_files(cache, claim)
    cleanup.remove_unwanted_files(cache, claim.uuid)
