"""List, follow, cancel and delete tasks."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Conflict

from app.api.answers import describe_tasks, write_body, write_partial_body
from app.api.lookup import abort_not_found, estimate_retry_seconds, find_task
from app.api.preferences import choose_wait
from app.api.query import QueryBlueprint
from app.api.results import find_result
from app.auth import visible_owner
from app.core.db import queries, tasks, waiters
from app.core.db.states import CANCELLED, COMPLETED, TERMINAL
from app.core.storage.removal import remove_folder
from app.current import get_settings
from app.openapi import document_errors
from app.schemas.follow import FollowParameters
from app.schemas.listing import LIST_EXAMPLE, LONG_FIELDS, ListParameters, TaskList, encode_cursor
from app.schemas.task import CANCELLED_EXAMPLE, TASK_EXAMPLE, Cancelled, TaskAnswer
from app.waiting import apply_preference, choose_retry_seconds, may_wait, wait_until_ended

blueprint = QueryBlueprint("Task", __name__, description="Following and managing tasks.")
log = logging.getLogger(__name__)


@blueprint.route("/task", methods=["GET"])
@blueprint.arguments(ListParameters, location="query")
@blueprint.response(200, TaskList, example=LIST_EXAMPLE)
@document_errors(blueprint, 422, 503)
def list_tasks(params: dict[str, Any]) -> Response:
    """List tasks, newest first, without their results."""
    filters = {name: params[name] for name in ("status", "task_type") if name in params}
    owner = visible_owner()
    own = {} if owner is None else {"owner": owner}
    # One row more than the page shows: it tells whether there is a next page.
    rows = queries.list_tasks(params["limit"] + 1, params.get("cursor"), params["q"], **filters, **own)
    shown, more = rows[: params["limit"]], rows[params["limit"] :]
    described = describe_tasks(shown, get_settings().cache.ttl)
    if params["brief"]:
        described = [{name: value for name, value in each.items() if name not in LONG_FIELDS} for each in described]
    chosen = filters | ({"q": params["q"]} if params["q"] else {}) | ({"brief": "true"} if params["brief"] else {})
    answer = {
        "tasks": described,
        "next": _build_url({"limit": params["limit"], **chosen, "cursor": encode_cursor(shown[-1].id)})
        if more
        else None,
    }
    return current_app.response_class(json.dumps(answer, allow_nan=False) + "\n", mimetype="application/json")


@blueprint.route("/task/<identifier>", methods=["GET"])
@blueprint.arguments(FollowParameters, location="query")
@blueprint.response(200, TaskAnswer, example=TASK_EXAMPLE)
@document_errors(blueprint, 404, 422, 503)
def get_task(params: dict[str, Any], identifier: str) -> Response:
    """Follow a task until it has a result."""
    row = find_task(identifier)
    if row.waited_at is not None:
        waiters.keep_task(identifier)  # from now on, its client follows it here
    asked = choose_wait(request, params["wait"])
    wait = asked if asked is not None and (row.status in TERMINAL or may_wait()) else None
    if wait and row.status not in TERMINAL:
        row = wait_until_ended(identifier, wait) or abort_not_found()
    # A completed task without a result has just been deleted.
    result = (find_result(row.uuid, params["revision"]) or abort_not_found()) if row.status == COMPLETED else None
    body = write_partial_body(row) if result is None and params["partial"] else write_body(row, result)
    response = current_app.response_class(body, mimetype="application/json")
    if row.status not in TERMINAL:
        refused = asked is not None and wait is None
        response.headers["Retry-After"] = str(choose_retry_seconds() if refused else estimate_retry_seconds(row))
    return apply_preference(response, wait)


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


def _build_url(parameters: dict[str, Any]) -> str:
    return url_for("Task.list_tasks", **parameters)
