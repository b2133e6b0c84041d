"""GET /task/<identifier>: where a task stands and, once it is done, what came of it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from flask import Response, current_app
from flask_smorest import Blueprint
from werkzeug.exceptions import NotFound

from app.ledger import task
from app.openapi import documented_errors
from app.schemas.task import TASK_EXAMPLE, TaskAnswer

blueprint = Blueprint("Task", __name__, description="Following tasks.")


@blueprint.route("/task/<identifier>", methods=["GET"])
@blueprint.response(200, TaskAnswer, example=TASK_EXAMPLE)
@documented_errors(blueprint, 404, 503)
def show(identifier: str) -> Response:
    """Follow a task until its result is there."""
    row = task.get(identifier)
    if row is None:
        raise NotFound("There is no task with this identifier.")
    return current_app.response_class(body(row), mimetype="application/json")


def body(row: task.Task) -> str:
    """The answer as JSON text; the result is passed through as the worker wrote it, however long it is."""
    facts: dict[str, Any] = {
        "identifier": row.uuid,
        "status": row.status,
        "task_type": row.task_type,
        "result_type": row.result_type,
        "task_params": json.loads(row.params),
        "error": row.error,
        "error_code": row.error_code,
        "warnings": json.loads(row.warnings),
        "stage": row.stage,
        "progress": row.progress,
        "duration": row.duration,
        "audio_duration": row.audio_duration,
        "language": row.language,
        "queue_position": task.queue_position(row),
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
    }
    return f'{json.dumps(facts, allow_nan=False)[:-1]}, "result": {row.result or "null"}}}\n'


def iso(seconds: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, from seconds since 1970."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
