"""Find the task that a request names.

Answers 404 when there is none, 409 while it is unfinished, and 410 once its files are purged.
"""

from __future__ import annotations

from typing import Any, NoReturn

from werkzeug.exceptions import Conflict, Gone, NotFound

from app.auth import visible_owner
from app.core.db import queries, tasks
from app.core.db.states import CANCELLED, COMPLETED, FAILED
from app.core.db.tasks import Task
from app.core.times import format_utc

SLOWEST_POLL = 10  # seconds


class Unfinished(Conflict):
    """409 with a Retry-After header."""

    def __init__(self, say: str, seconds: int) -> None:
        super().__init__(say)
        self.seconds = seconds

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        return [*super().get_headers(environ, scope), ("Retry-After", str(self.seconds))]


def find_task(identifier: str) -> Task:
    """Find the row of the task, or answer 404.

    A task of another API key is answered like an unknown one.
    """
    return tasks.get(identifier, visible_owner()) or abort_not_found()


def abort_not_found() -> NoReturn:
    """Answer 404."""
    raise NotFound("There is no task with this identifier.")


def require_completed(row: Task) -> None:
    """Answer 409 unless the task has a result."""
    if row.status == COMPLETED:
        return
    if row.status == FAILED:
        raise Conflict(f"The task has failed and has no result: {row.error}")
    if row.status == CANCELLED:
        raise Conflict("The task was cancelled and has no result.")
    raise Unfinished(f"The task is {row.status}; its result is not available yet.", estimate_retry_seconds(row))


def require_files(row: Task) -> None:
    """Answer 410 once the task's files have been purged."""
    if row.files_purged_at is not None:
        raise Gone(
            f"The files of this task were removed at {format_time(row.files_purged_at)}; its result is still available."
        )


def estimate_retry_seconds(row: Task) -> int:
    """Choose the Retry-After of a poll, in seconds.

    It grows with the number of tasks ahead in the queue, up to SLOWEST_POLL.
    """
    return min(queries.queue_position(row) or 1, SLOWEST_POLL)


def format_time(seconds: float | None) -> str | None:
    """Format seconds since 1970 as ISO 8601; None stays None."""
    return None if seconds is None else format_utc(seconds)
