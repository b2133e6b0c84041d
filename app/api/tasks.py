"""List, follow, cancel and delete tasks."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Response, current_app, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Conflict

from app.api.lookup import abort_not_found, estimate_retry_seconds, find_task, format_time
from app.api.query import QueryBlueprint
from app.core.db import queries, results, tasks
from app.core.db.states import CANCELLED, COMPLETED, TERMINAL
from app.core.storage.removal import remove_folder
from app.current import get_settings
from app.openapi import document_errors
from app.schemas.listing import LIST_EXAMPLE, ListParameters, TaskList, encode_cursor
from app.schemas.task import CANCELLED_EXAMPLE, TASK_EXAMPLE, Cancelled, TaskAnswer

blueprint = QueryBlueprint("Task", __name__, description="Following and managing tasks.")
log = logging.getLogger(__name__)


@blueprint.route("/task", methods=["GET"])
@blueprint.arguments(ListParameters, location="query")
@blueprint.response(200, TaskList, example=LIST_EXAMPLE)
@document_errors(blueprint, 422, 503)
def list_tasks(params: dict[str, Any]) -> Response:
    """List tasks, newest first, without their results."""
    filters: dict[str, Any] = {name: params[name] for name in ("status", "task_type") if name in params}
    # One row more than the page shows: it tells whether there is a next page.
    rows = queries.list_tasks(params["limit"] + 1, params.get("cursor"), **filters)
    shown, more = rows[: params["limit"]], rows[params["limit"] :]
    places = queries.queue_positions(shown)
    answer = {
        "tasks": [describe_task(row, places.get(row.id)) for row in shown],
        "next": _build_url({"limit": params["limit"], **filters, "cursor": encode_cursor(shown[-1].id)})
        if more
        else None,
    }
    return current_app.response_class(json.dumps(answer, allow_nan=False) + "\n", mimetype="application/json")


@blueprint.route("/task/<identifier>", methods=["GET"])
@blueprint.response(200, TaskAnswer, example=TASK_EXAMPLE)
@document_errors(blueprint, 404, 503)
def get_task(identifier: str) -> Response:
    """Follow a task until it has a result."""
    row = find_task(identifier)
    # A completed task without a result has just been deleted.
    result = (results.get(row.uuid) or abort_not_found()) if row.status == COMPLETED else None
    response = current_app.response_class(write_body(row, result), mimetype="application/json")
    if row.status not in TERMINAL:
        response.headers["Retry-After"] = str(estimate_retry_seconds(row))
    return response


@blueprint.route("/task/<identifier>", methods=["DELETE"])
@blueprint.response(204)
@document_errors(blueprint, 404, 503)
def delete_task(identifier: str) -> ResponseReturnValue:
    """Delete a task, its files and its result.

    A running task is stopped.
    """
    row = find_task(identifier)
    # Delete the row first: the purge removes a folder without a row, should this process die in between.
    if not tasks.delete(row.uuid):
        abort_not_found()
    remove_folder(get_settings().cache.path, row.uuid)
    log.info("task %s deleted while %s", row.uuid, row.status)
    return "", 204


@blueprint.route("/task/<identifier>/cancel", methods=["POST"])
@blueprint.response(202, Cancelled, example=CANCELLED_EXAMPLE)
@document_errors(blueprint, 404, 409, 503, say_409="The task has already ended: COMPLETED.")
def cancel_task(identifier: str) -> ResponseReturnValue:
    """Cancel a task that is waiting or running."""
    row = find_task(identifier)
    if not tasks.cancel(row.uuid):
        # Read the status again: the task may have ended after the first read.
        raise Conflict(f"The task has already ended: {find_task(identifier).status}.")
    log.info("task %s cancelled while %s", row.uuid, row.status)
    return {"identifier": row.uuid, "status": CANCELLED, "message": "The task is cancelled"}, 202


def write_body(row: tasks.Task, result: results.Result | None) -> str:
    """Write the answer as JSON text.

    The result may be megabytes: it is inserted as stored, without parsing.
    """
    known = json.dumps(describe_task(row, queries.queue_position(row)), allow_nan=False)
    # ``known`` ends with "}": cut it off and append the large fields.
    embeddings = (result and result.speaker_embeddings) or "null"
    return f'{known[:-1]}, "speaker_embeddings": {embeddings}, "result": {result.result if result else "null"}}}\n'


def describe_task(row: tasks.Task, queue_position: int | None) -> dict[str, Any]:
    """Collect a task's fields for clients.

    Its result and speaker embeddings are not included.
    """
    return {
        "identifier": row.uuid,
        "status": row.status,
        "task_type": row.task_type,
        "result_type": row.result_type,
        "task_params": json.loads(row.params),
        "attempt": row.attempts,
        "error": row.error,
        "error_code": row.error_code,
        "warnings": json.loads(row.warnings),
        "stage": row.stage,
        "progress": row.progress,
        "duration": row.duration,
        "audio_duration": row.audio_duration,
        "language": row.language,
        "queue_position": queue_position,
        "created_at": format_time(row.created_at),
        "started_at": format_time(row.started_at),
        "finished_at": format_time(row.finished_at),
    }


def _build_url(parameters: dict[str, Any]) -> str:
    return url_for("Task.list_tasks", **parameters)
