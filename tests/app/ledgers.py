"""The web side on both databases, and tasks brought by hand into the state that a test wants."""

from __future__ import annotations

from app.ledger import task
from app.ledger.task import Claim


def claimed(owner: str = "me") -> Claim:
    """The oldest waiting task, as whoever runs it holds it."""
    row = task.claim(owner)
    assert row is not None
    return Claim(row.uuid, row.attempt, owner)


def completed(result: str = "[]") -> str:
    """Finish the oldest waiting task; its identifier."""
    claim = claimed()
    assert task.complete(claim, "json", result, [], 0.5)
    return claim.uuid
