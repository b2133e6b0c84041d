"""Follow, cancel and delete batches, and download their results."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any

from flask import Response, current_app, request, stream_with_context
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Conflict, NotFound

from app.api.lookup import SLOWEST_POLL, Unfinished, format_time
from app.api.preferences import choose_wait
from app.api.query import QueryBlueprint
from app.api.results import read_result_file, require_format, require_turns
from app.auth import may_see
from app.core.db import batches, estimates, queries
from app.core.db.states import CANCELLED, COMPLETED, FAILED, IN_PROGRESS, QUEUED, STATUSES, TERMINAL
from app.core.db.tasks import Task
from app.current import get_storage
from app.formats import EXTENSIONS
from app.formats.choices import read_choices
from app.formats.result_archive import write_archive
from app.openapi import document_errors
from app.schemas.batch import (
    BATCH_EXAMPLE,
    CANCELLED_BATCH_EXAMPLE,
    BatchAnswer,
    BatchFollowParameters,
    BatchResultParameters,
    CancelledBatch,
)
from app.waiting import apply_preference, may_wait, wait_until_batch_ended

blueprint = QueryBlueprint("Batches", __name__, description="Following and managing batches.")
log = logging.getLogger(__name__)

NOT_FOUND = "There is no batch with this identifier."
ENDED = "All tasks of the batch have already ended."
UNFINISHED = "2 of 5 tasks have not ended yet."
BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/batch/<identifier>", methods=["GET"])
@blueprint.arguments(BatchFollowParameters, location="query")
@blueprint.response(200, BatchAnswer, example=BATCH_EXAMPLE)
@document_errors(blueprint, 404, 422, 503, say_404=NOT_FOUND)
def get_batch(params: dict[str, Any], identifier: str) -> Response:
    """Follow a batch: its tasks and their progress."""
    rows = find_batch(identifier)
    asked = choose_wait(request, params["wait"])
    wait = asked if asked is not None and (has_ended(rows) or may_wait()) else None
    if wait and not has_ended(rows):
        wait_until_batch_ended(identifier, wait)
        rows = find_batch(identifier)
    body = json.dumps(describe_batch(identifier, rows), allow_nan=False) + "\n"
    response = current_app.response_class(body, mimetype="application/json")
    if not has_ended(rows):
        response.headers["Retry-After"] = str(estimate_retry_seconds(rows))
    return apply_preference(response, wait)


@blueprint.route("/batch/<identifier>", methods=["DELETE"])
@blueprint.response(204)
@document_errors(blueprint, 404, 503, say_404=NOT_FOUND)
def delete_batch(identifier: str) -> ResponseReturnValue:
    """Delete all tasks of a batch, with their files and results.

    Running tasks are stopped.
    """
    find_batch(identifier)
    # Delete the rows first: the purge removes a folder without a row, should this process die in between.
    get_storage().discard(*batches.delete(identifier))
    log.info("batch %s deleted", identifier)
    return "", 204


@blueprint.route("/batch/<identifier>/cancel", methods=["POST"])
@blueprint.response(202, CancelledBatch, example=CANCELLED_BATCH_EXAMPLE)
@document_errors(blueprint, 404, 409, 503, say_404=NOT_FOUND, say_409=ENDED)
def cancel_batch(identifier: str) -> ResponseReturnValue:
    """Cancel all tasks of a batch that are waiting or running."""
    find_batch(identifier)
    cancelled = batches.cancel(identifier)
    if not cancelled:
        raise Conflict(ENDED)
    log.info("batch %s cancelled", identifier)
    say = "1 task is cancelled" if cancelled == 1 else f"{cancelled} tasks are cancelled"
    return {"identifier": identifier, "cancelled": cancelled, "message": say}, 202


@blueprint.route("/batch/<identifier>/results", methods=["GET"])
@blueprint.arguments(BatchResultParameters, location="query")
@blueprint.response(200, BINARY, content_type="application/zip", description="The results of the completed tasks.")
@document_errors(blueprint, 404, 409, 422, 503, say_404=NOT_FOUND, say_409=UNFINISHED)
def download_results(params: dict[str, Any], identifier: str) -> Response:
    """Download the results of a batch as a ZIP.

    The files are named after the recordings. "not completed.txt" says why others are missing.
    """
    rows = find_batch(identifier)
    chosen, choices = params["format"], read_choices(params)
    require_format(rows[0].task_type, chosen, choices)
    require_turns(rows[0], chosen)  # all tasks of a batch have the same parameters
    if not params["partial"]:
        require_ended(rows)
    pieces = write_archive(rows, EXTENSIONS[chosen], lambda row: read_result_file(row, chosen, choices))
    response = current_app.response_class(stream_with_context(pieces), mimetype="application/zip")
    response.headers["Content-Disposition"] = f"attachment; filename={identifier}.zip"
    return response


def find_batch(identifier: str) -> list[Task]:
    """Find the tasks of a batch, or answer 404."""
    rows = batches.list_tasks(identifier)
    if not rows or not may_see(rows[0].owner):
        raise NotFound(NOT_FOUND)
    return rows


def has_ended(rows: list[Task]) -> bool:
    """Whether all tasks have ended."""
    return all(row.status in TERMINAL for row in rows)


def require_ended(rows: list[Task]) -> None:
    """Answer 409 while a task has not ended."""
    unfinished = sum(row.status not in TERMINAL for row in rows)
    if unfinished:
        verb = "has" if unfinished == 1 else "have"
        say = f"{unfinished} of {len(rows)} tasks {verb} not ended yet; partial=true downloads what is completed."
        raise Unfinished(say, estimate_retry_seconds(rows))


def estimate_retry_seconds(rows: list[Task]) -> int:
    """Choose the Retry-After of a poll: the more tasks are left, the later."""
    return min(max(1, sum(row.status not in TERMINAL for row in rows)), SLOWEST_POLL)


def describe_batch(identifier: str, rows: list[Task]) -> dict[str, Any]:
    """Sum up a batch for clients."""
    places, times = queries.queue_positions(rows), estimates.estimate_seconds(rows)
    counts = Counter(row.status for row in rows)
    ends = [row.finished_at for row in rows if row.finished_at is not None]
    return {
        "identifier": identifier,
        "status": sum_up(counts),
        "task_type": rows[0].task_type,
        "total": len(rows),
        "counts": {status: counts[status] for status in STATUSES},
        "progress": round(sum(1.0 if row.status in TERMINAL else row.progress for row in rows) / len(rows), 4),
        "created_at": format_time(rows[0].created_at),
        "finished_at": format_time(max(ends)) if has_ended(rows) else None,
        "tasks": [describe_line(row, places.get(row.id), times.get(row.id)) for row in rows],
    }


def sum_up(counts: Counter[str]) -> str:
    """Choose the status of the whole batch."""
    if counts[QUEUED] or counts[IN_PROGRESS]:
        return QUEUED if counts[QUEUED] == counts.total() else IN_PROGRESS
    return COMPLETED if counts[COMPLETED] else FAILED if counts[FAILED] else CANCELLED


def describe_line(row: Task, queue_position: int | None, eta_seconds: float | None) -> dict[str, Any]:
    """Collect the fields of one task."""
    return {
        "identifier": row.uuid,
        "file_name": row.file_name,
        "status": row.status,
        "stage": row.stage,
        "progress": row.progress,
        "queue_position": queue_position,
        "eta_seconds": eta_seconds,
        "error": row.error,
        "error_code": row.error_code,
        "warnings": json.loads(row.warnings),
        "duration": row.duration,
        "audio_duration": row.audio_duration,
        "language": row.language,
    }
