"""``stream=true``: the text as server-sent events while it is transcribed.

Comments keep the connection alive; clients take each data event for a piece of the transcript.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

from flask import request
from peewee import DatabaseError, InterfaceError

from app.api.errors import UNAVAILABLE
from app.api.openai.asked import Asked
from app.api.openai.bodies import describe_usage, list_diarized, list_languages
from app.api.openai.errors import Failure, describe_end
from app.api.openai.parameters import DIARIZED
from app.api.openai.transcript import join_texts, read_segments, skip_text
from app.auth import has_valid_key
from app.core.db import partial, results, tasks, waiters
from app.core.db.connection import database
from app.core.db.states import COMPLETED, TERMINAL
from app.core.db.tasks import Task
from app.waiting import CONFIRM_SECONDS, LOOK_SECONDS, RENEW_SECONDS, is_client_gone

log = logging.getLogger(__name__)
KEEP_ALIVE_SECONDS = 15.0
DELTA, DONE = "transcript.text.delta", "transcript.text.done"
DELETED = Failure(500, "The transcription was deleted.", "cancelled")
REVOKED = Failure(401, "The API key was revoked.", "invalid_api_key")
END = "data: [DONE]\n\n"


class Heard:
    """What a running task has transcribed so far.

    A second attempt starts over: its text is of no use to the client until it says more than the first one did.
    """

    def __init__(self) -> None:
        self.text = ""
        self._texts: list[str] = []
        self._claim_no = self._changes = -1

    def update(self, row: Task) -> bool:
        """Read new segments; return whether there are any."""
        if row.changes == self._changes:
            return False
        self._changes = row.changes
        if row.claim_no != self._claim_no:
            self._claim_no, self._texts = row.claim_no, []
        new = [json.loads(segment)["text"] for segment in partial.read(row.uuid, row.claim_no, len(self._texts))]
        self._texts += new
        self.text = join_texts(self._texts)
        return bool(new)


def stream_transcript(identifier: str, asked: Asked, seconds: float) -> Iterator[str]:
    """Write the events of a task until it ends, for at most ``seconds``, or until the client has gone."""
    yield ": waiting\n\n"  # the client sees that the connection works
    try:
        yield from _follow(identifier, asked, seconds)
    except (DatabaseError, InterfaceError) as error:
        log.error("database unavailable: %s", error)
        database.close()
        yield _write_failure(Failure(503, UNAVAILABLE, "unavailable"))


def _follow(identifier: str, asked: Asked, seconds: float) -> Iterator[str]:
    begun = quiet_since = renewed = confirmed = time.monotonic()
    heard, seen = Heard(), ""
    while (row := tasks.get(identifier)) is not None and row.status not in TERMINAL:
        # The segments of a dialogue are known only when the speakers are.
        if asked.response_format != DIARIZED and heard.update(row) and heard.text.startswith(seen):
            delta, seen = heard.text[len(seen) :], heard.text
            quiet_since = time.monotonic()
            if delta:
                yield _write_event(DELTA, delta=delta)
        now = time.monotonic()
        if is_client_gone(request.environ):
            return
        if now - begun >= seconds:
            waiters.keep_task(identifier)
            yield _write_failure(describe_timeout(identifier))
            return
        if now - renewed >= RENEW_SECONDS:
            waiters.renew(identifier)
            renewed = now
        if now - confirmed >= CONFIRM_SECONDS:
            if not has_valid_key():
                waiters.keep_task(identifier)  # the task itself goes on
                yield _write_failure(REVOKED)
                return
            confirmed = now
        if now - quiet_since >= KEEP_ALIVE_SECONDS:
            quiet_since = now
            yield ": waiting\n\n"
        time.sleep(LOOK_SECONDS)
    yield from _finish(row, asked, seen)


def _finish(row: Task | None, asked: Asked, seen: str) -> Iterator[str]:
    if row is not None and row.status != COMPLETED:
        yield _write_failure(describe_end(row))
        return
    result = results.get(row.uuid) if row is not None else None
    if row is None or result is None:
        yield _write_failure(DELETED)
        return
    segments = read_segments(result.result)
    text = join_texts(segment["text"] for segment in segments)
    if asked.response_format == DIARIZED:
        for number, segment in enumerate(list_diarized(segments)):
            delta = segment["text"] if number else segment["text"].lstrip()
            yield _write_event(DELTA, delta=delta, segment_id=segment["id"])
            yield _write_event(**{name: value for name, value in segment.items() if name != "words"})
    elif rest := skip_text(text, seen):
        yield _write_event(DELTA, delta=rest)
    warnings = list(dict.fromkeys([*json.loads(row.warnings), *asked.warnings]))
    more: dict[str, Any] = {"warnings": warnings} if warnings else {}
    yield _write_event(DONE, text=text, usage=describe_usage(row), languages=list_languages(row), **more)
    yield END


def describe_timeout(identifier: str) -> Failure:
    """Say that a task runs on; a client that sends the same request again gets its result."""
    say = f"The transcription is still running, see GET /task/{identifier}. Send the same request again to wait for it."
    return Failure(408, say, "timeout", None, {"Retry-After": "1"})


def _write_event(type: str, **fields: Any) -> str:
    return f"data: {json.dumps({'type': type} | fields, ensure_ascii=False, allow_nan=False)}\n\n"


def _write_failure(failure: Failure) -> str:
    return f"data: {json.dumps({'error': failure.describe()}, ensure_ascii=False)}\n\n"
