"""Tasks in the state that a test needs."""

from __future__ import annotations

import uuid

from app.core.db import claims, results, tasks
from app.core.db.tasks import Claim, Task
from app.core.params import TranscriptionParams
from app.core.work import plan_steps, write_steps

PARAMS = TranscriptionParams(
    model_size="mini", uvr_model_size="mini", batch_size=8, compute_type="int8", enable_offload=False
)


def queued(source_url: str | None = None) -> str:
    """Submit a task and return its identifier."""
    identifier = str(uuid.uuid4())
    work = write_steps(plan_steps(PARAMS))
    tasks.submit(identifier, "transcription", PARAMS.to_json(), "a.wav", ["w"], source_url=source_url, work=work)
    return identifier


def row(identifier: str) -> Task:
    """The row of an existing task."""
    found = tasks.get(identifier)
    assert found is not None
    return found


def stored_result(identifier: str) -> str | None:
    """The task's result as JSON text, or None."""
    found = results.get(identifier)
    return found and found.result


def claimed(holder: str = "me") -> Claim:
    """Claim the oldest waiting task."""
    row = claims.claim(holder)
    assert row is not None
    return Claim(row.uuid, row.claim_no, holder)


def completed(result: str = "[]") -> str:
    """Complete the oldest waiting task and return its identifier."""
    claim = claimed()
    assert tasks.complete(claim, "json", result, [], 0.5)
    return claim.uuid
