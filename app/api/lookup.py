"""The row that a request is about, or the answer why it cannot be had: 404, 409 while unfinished, 410 once purged."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NoReturn

from werkzeug.exceptions import Conflict, Gone, NotFound

from app.core.db import queries
from app.core.db.states import CANCELLED, COMPLETED, FAILED
from app.core.db.tasks import Task

SLOWEST_POLL = 10


class Unfinished(Conflict):
    """409 that says when to ask again."""

    def __init__(self, say: str, seconds: int) -> None:
        super().__init__(say)
        self.seconds = seconds

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        return [*super().get_headers(environ, scope), ("Retry-After", str(self.seconds))]


def found(identifier: str) -> Task:
    """The row without its result; answers 404 when there is none."""
    return queries.facts(identifier) or missing()


def missing() -> NoReturn:
    raise NotFound("There is no task with this identifier.")


def require_completed(row: Task) -> None:
    """Answer 409 unless there is a result, saying how the task stands."""
    if row.status == COMPLETED:
        return
    if row.status == FAILED:
        raise Conflict(f"The task has failed and has no result: {row.error}")
    if row.status == CANCELLED:
        raise Conflict("The task was cancelled and has no result.")
    raise Unfinished(f"The task is {row.status}; its result is not there yet.", retry_seconds(row))


def require_files(row: Task) -> None:
    """Answer 410, naming the time, once the files of the task have been purged."""
    if row.files_purged_at is not None:
        raise Gone(f"The files of this task were removed at {iso(row.files_purged_at)}; its result stays.")


def retry_seconds(row: Task) -> int:
    """When a poller may come again: the more tasks run before this one, the later."""
    return min(queries.queue_position(row) or 1, SLOWEST_POLL)


def iso(seconds: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, from seconds since 1970."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
