"""GET /task/<identifier>/events: follow a task by server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from flask import Response, current_app, request
from marshmallow import RAISE, Schema

from app.api.answers import describe_task
from app.api.lookup import find_task
from app.api.query import QueryBlueprint
from app.auth import current_key
from app.core.db import api_keys, partial, tasks, waiters
from app.core.db.api_keys import ApiKey
from app.core.db.states import COMPLETED, TERMINAL
from app.core.db.tasks import Task
from app.current import get_settings
from app.openapi import document_errors
from app.schemas.fields import Text
from app.waiting import CONFIRM_SECONDS, LOOK_SECONDS, hold_until_closed, is_client_gone, require_waiter

blueprint = QueryBlueprint("Events", __name__, description="Progress as server-sent events.")

KEEP_ALIVE_SECONDS = 15.0
RECONNECT_MS = 3000
EXAMPLE = 'id: 7.1.2\nevent: progress\ndata: {"status": "IN_PROGRESS", "stage": "transcribe", "progress": 0.4}\n\n'


class EventParameters(Schema):
    class Meta:
        unknown = RAISE

    last_event_id = Text(
        load_default="",
        most=64,
        metadata={
            "description": "Send only what is newer than the event with this id; same as the header Last-Event-ID."
        },
    )


class Position:
    """How much of a task the client has seen.

    As the id of an event: changes of the row, claim, and number of segments.
    """

    def __init__(self, text: str = "") -> None:
        parts = text.split(".")
        known = len(parts) == 3 and all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts)
        self.changes, self.claim_no, self.segments = (int(part) for part in parts) if known else (-1, 0, 0)
        self.stage: str | None = None

    def __str__(self) -> str:
        return f"{self.changes}.{self.claim_no}.{self.segments}"


@blueprint.route("/task/<identifier>/events", methods=["GET"])
@blueprint.arguments(EventParameters, location="query")
@blueprint.doc(
    responses={
        "200": {
            "description": (
                "Events `progress` and `stage` with the task as GET /task shows it, but without its result, `segment` with a "
                "segment of the running transcription, and at the end `completed`, `failed` or `cancelled`. "
                "`segments_changed` of `completed` is true if the result has other segments than were sent."
            ),
            "content": {"text/event-stream": {"example": EXAMPLE}},
        },
        "204": {"description": "The task has ended, and the client has seen its last event."},
    }
)
@document_errors(blueprint, 404, 422, 429, 503, say_429="Too many clients are waiting; try again later.")
def follow_task(params: dict[str, Any], identifier: str) -> Response:
    """Follow a task without polling."""
    row = find_task(identifier)
    if row.waited_at is not None:
        waiters.keep_task(identifier)
    seen = Position(request.headers.get("Last-Event-ID", "") or params["last_event_id"])
    if row.status in TERMINAL and seen.changes >= row.changes:
        return current_app.response_class(status=204)
    require_waiter()
    response = current_app.response_class(
        stream(row, seen, current_key(), request.environ, get_settings().cache.ttl), mimetype="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx must not collect the events
    return hold_until_closed(response)


def stream(row: Task, seen: Position, key: ApiKey | None, environ: dict[str, Any], files_ttl: int) -> Iterator[str]:
    """Write the events of a task until it ends or is deleted, the API key is revoked, or the client has gone."""
    yield f"retry: {RECONNECT_MS}\n\n"
    quiet_since = confirmed = time.monotonic()
    while True:
        events = "".join(list_events(row, seen, files_ttl))
        if events:
            yield events
            quiet_since = time.monotonic()
        if row.status in TERMINAL:
            return
        if time.monotonic() - quiet_since >= KEEP_ALIVE_SECONDS:
            yield ": waiting\n\n"
            quiet_since = time.monotonic()
        time.sleep(LOOK_SECONDS)
        changed = tasks.get(row.uuid)
        if changed is None or is_client_gone(environ):
            return
        if time.monotonic() - confirmed >= CONFIRM_SECONDS:
            if key is not None and not api_keys.is_valid(key):
                return
            confirmed = time.monotonic()
        row = changed


def list_events(row: Task, seen: Position, files_ttl: int) -> Iterator[str]:
    """Write what has changed since ``seen``, and note it there."""
    if row.changes <= seen.changes:
        return
    if row.claim_no != seen.claim_no:
        seen.claim_no, seen.segments = row.claim_no, 0
    for segment in partial.read(row.uuid, row.claim_no, seen.segments):
        seen.segments += 1
        yield write_event("segment", segment, seen)
    name = row.status.lower() if row.status in TERMINAL else "stage" if row.stage != seen.stage else "progress"
    seen.changes, seen.stage = row.changes, row.stage
    state = describe_task(row, files_ttl)
    if row.status == COMPLETED:
        state["segments_changed"] = row.segments_changed
    yield write_event(name, json.dumps(state, allow_nan=False), seen)


def write_event(name: str, data: str, seen: Position) -> str:
    return f"id: {seen}\nevent: {name}\ndata: {data}\n\n"
