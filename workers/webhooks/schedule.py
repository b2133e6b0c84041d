"""When a message is sent again, and when no more.

The times are those of the Standard Webhooks specification, counted from the end of the task.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.webhooks import ASSEMBLYAI

MINUTE, HOUR = 60.0, 3600.0
ATTEMPTS_AT = (
    0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
JITTER = 0.1  # so that many messages that failed together are not sent again together
LONGEST_RETRY_AFTER = 24 * HOUR
GONE = 410


def choose_delay(failed: int, retry_after: float, spread: Callable[[float, float], float]) -> float | None:
    """Return the seconds until the next attempt, after ``failed`` ones; None if there is none.

    ``retry_after`` is the least delay that the receiver asks for. ``spread`` returns a random number between two others.
    """
    # The attempts are counted, not the hours: a clock that jumps ahead must not end the delivery.
    if failed >= len(ATTEMPTS_AT):
        return None
    delay = ATTEMPTS_AT[failed] - ATTEMPTS_AT[failed - 1]
    return max(delay * spread(1 - JITTER, 1 + JITTER), min(retry_after, LONGEST_RETRY_AFTER))


def is_final(form: str, status: int) -> bool:
    """Whether an answer with ``status`` ends the delivery. AssemblyAI's clients end it by any 4xx."""
    return status == GONE or (form == ASSEMBLYAI and 400 <= status < 500)
