"""The web side on both databases, and tasks brought by hand into the state that a test wants."""

from __future__ import annotations

import uuid

from app.core.db import tasks
from app.core.db.tasks import Claim, Task


def queued() -> str:
    """A waiting task's identifier."""
    identifier = str(uuid.uuid4())
    tasks.submit(identifier, "transcription", {"beam_size": 5}, "a.wav", ["w"])
    return identifier


def row(identifier: str) -> Task:
    """The task as the ledger has it, which must be there."""
    found = tasks.get(identifier)
    assert found is not None
    return found


def claimed(holder: str = "me") -> Claim:
    """The oldest waiting task, as whoever runs it holds it."""
    row = tasks.claim(holder)
    assert row is not None
    return Claim(row.uuid, row.claim_no, holder)


def completed(result: str = "[]") -> str:
    """Finish the oldest waiting task; its identifier."""
    claim = claimed()
    assert tasks.complete(claim, "json", result, [], 0.5)
    return claim.uuid
