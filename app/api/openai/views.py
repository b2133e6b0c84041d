"""The paths of OpenAI's audio API, also without /v1, in Azure's form and as whisper.cpp's server has it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from flask import Blueprint, Response, current_app, request, stream_with_context
from werkzeug.exceptions import NotFound, ServiceUnavailable

from app.api.lookup import abort_not_found
from app.api.openai.asked import Asked, admit_references, read_request
from app.api.openai.bodies import write_answer
from app.api.openai.errors import describe_end
from app.api.openai.models import TASK, describe_entry, list_entries
from app.api.openai.streaming import DELETED, describe_timeout, stream_transcript
from app.api.query import parse_query
from app.core.db import heartbeats, results
from app.core.db.states import COMPLETED, TERMINAL, TRANSCRIPTION
from app.current import get_defaults, get_settings
from app.submission.accept import Order
from app.submission.body import require_form
from app.submission.synchronous import start_task, wait_for_task
from app.waiting import hold_until_closed, require_waiter

NAME = "openai"
blueprint = Blueprint(NAME, __name__)
RETRY_SECONDS = 5
BASES = ("", "/v1", "/openai/v1", "/openai/deployments/<deployment>")
MARGIN = 0.05  # of the client's time limit
MOST_MARGIN_SECONDS = 5.0

View = Callable[..., Response]


def route(path: str, bases: tuple[str, ...] = BASES) -> Callable[[View], View]:
    """Serve a view below each base URL that clients use."""

    def register(view: View) -> View:
        method = "GET" if path.startswith("/models") else "POST"
        for base in bases:
            blueprint.add_url_rule(base + path, view_func=view, methods=[method])
        return view

    return register


@route("/audio/transcriptions")
@route("/inference", ("",))
def transcribe(deployment: str | None = None) -> Response:
    return _answer(translates=False, deployment=deployment)


@route("/audio/translations")
def translate(deployment: str | None = None) -> Response:
    return _answer(translates=True, deployment=deployment)


@route("/models", ("/v1", "/openai/v1"))  # GET /models is native, with the same list in ``data``
def list_models() -> Response:
    entries = list_entries(get_settings(), get_defaults(), parse_query(request).get("task", TASK))
    return _write_json({"object": "list", "data": entries})


@route("/models/<path:name>", ("", "/v1", "/openai/v1"))
def describe_model(name: str) -> Response:
    entry = describe_entry(name, get_settings(), get_defaults())
    if entry is None:
        raise NotFound(f"The model {name!r:.200} does not exist; GET /v1/models lists all.")
    return _write_json(entry)


def _answer(translates: bool, deployment: str | None) -> Response:
    """Run a task and wait for it, or stream what it says."""
    require_waiter()
    _require_worker()
    require_form(request)
    limits = get_settings().limits
    admit_references(request, limits.max_upload_mb)
    asked, recording = read_request(request, translates, deployment)
    begun = time.monotonic()
    order = Order(TRANSCRIPTION, asked.params, asked.warnings, facade=NAME, webhook=asked.receiver)
    identifier = start_task(order, recording)
    if asked.stream:
        return _name_task(_start_stream(identifier, asked, limits.max_wait), identifier, len(asked.warnings))
    limit = min(limits.max_wait, _read_time_limit()) - (time.monotonic() - begun)
    return _wait(identifier, asked, max(0.0, limit))


def _wait(identifier: str, asked: Asked, seconds: float) -> Response:
    warnings: list[str] = []
    try:
        row = wait_for_task(identifier, seconds)
        if row.status == COMPLETED:
            warnings = list(dict.fromkeys([*json.loads(row.warnings), *asked.warnings]))
            stored = results.get(identifier) or abort_not_found()
            body, kind = write_answer(row, stored.result, asked, warnings)
            response = current_app.response_class(body, content_type=kind)
            response.headers["X-Content-Type-Options"] = "nosniff"  # a transcript may contain HTML
        else:
            response = (describe_end(row) if row.status in TERMINAL else describe_timeout(identifier)).respond()
    except NotFound:
        response = DELETED.respond()
    return _name_task(response, identifier, len(warnings))


def _start_stream(identifier: str, asked: Asked, seconds: float) -> Response:
    events = stream_with_context(stream_transcript(identifier, asked, seconds))
    response = current_app.response_class(events, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx must not collect the events
    return hold_until_closed(response)


def _require_worker() -> None:
    """Answer 503 if nothing would run the task while the client waits."""
    if not heartbeats.list_alive():
        raise ServiceUnavailable("No worker is running; try again later.", retry_after=RETRY_SECONDS)


def _read_time_limit() -> float:
    """Return how many seconds the client surely waits: OpenAI's SDKs send their time limit for reading."""
    try:
        seconds = float(request.headers.get("x-stainless-read-timeout", "inf"))
    except ValueError:
        return float("inf")
    return seconds - min(MOST_MARGIN_SECONDS, MARGIN * seconds) if seconds > 0 else float("inf")


def _name_task(response: Response, identifier: str, warnings: int) -> Response:
    response.headers["X-Speech-Task"] = response.headers["x-request-id"] = identifier
    if warnings:
        response.headers["X-Speech-Warnings"] = str(warnings)
    return response


def _write_json(body: object) -> Response:
    text = json.dumps(body, ensure_ascii=False) + "\n"
    return current_app.response_class(text, mimetype="application/json")
