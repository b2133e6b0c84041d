"""Name the task in the headers of an answer."""

from __future__ import annotations

import json

from flask import Response

from app.core.db.tasks import Task


def name_task(response: Response, row: Task) -> Response:
    """Add the task's identifier, and the number of its warnings if it has any."""
    response.headers["X-Speech-Task"] = response.headers["x-request-id"] = row.uuid
    count = len(json.loads(row.warnings))
    if count:
        response.headers["X-Speech-Warnings"] = str(count)
    return response
