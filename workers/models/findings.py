"""What a check of this machine has found."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, FAIL = "ok", "note", "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    With a FAIL, the service cannot start or cannot run tasks.
    """

    verdict: str
    subject: str
    text: str
