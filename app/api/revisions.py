"""Edit transcripts: each edit makes a revision, and the machine's result stays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Response, current_app

from app.api.json_body import BodyBlueprint
from app.api.lookup import abort_not_found, find_task, format_time, require_completed
from app.core.db import results, revisions
from app.core.db.results import Result
from app.core.db.states import TRANSCRIPTS
from app.core.db.tasks import Task
from app.editing import history
from app.editing.edits import Edit, EditError, write_json
from app.editing.history import DeletedError, EditedMeanwhileError, Revised, RevisionError
from app.http_errors import reject
from app.openapi import document_errors
from app.schemas import revisions as schemas

blueprint = BodyBlueprint("Revisions", __name__, description="Correcting transcripts.")
log = logging.getLogger(__name__)

MEANWHILE = "The transcript was edited meanwhile; it is now revision {}."
CONFLICT = {
    "code": 409,
    "status": "Conflict",
    "message": MEANWHILE.format(2),
    "error_code": "edited_meanwhile",
    "revision": 2,
}


@blueprint.route("/task/<identifier>/result", methods=["PATCH"])
@blueprint.arguments(schemas.Edits, location="json")
@blueprint.response(200, schemas.Revised, example=schemas.REVISED_EXAMPLE)
@blueprint.alt_response(409, schema=schemas.EditedMeanwhile, example={**CONFLICT, "changed": [[0, schemas.SEGMENT]]})
@document_errors(blueprint, 400, 404, 413, 415, 422, 503)
def edit_result(body: dict[str, Any], identifier: str) -> Response:
    """Edit segments of a transcript.

    All edits are made, or none. Words that did not change keep their times.
    """
    row = find_transcript(identifier)
    edits = [Edit(each["segment"], each["text"], each["words"]) for each in body["edits"]]
    return _revise(row, lambda latest: history.edit(latest, body["revision"], edits, row.audio_duration))


@blueprint.route("/task/<identifier>/result/undo", methods=["POST"])
@blueprint.arguments(schemas.RevisionNumber, location="json")
@blueprint.response(200, schemas.Revised, example=schemas.REVISED_EXAMPLE)
@blueprint.alt_response(409, schema=schemas.EditedMeanwhile, example={**CONFLICT, "changed": [[0, schemas.SEGMENT]]})
@document_errors(blueprint, 400, 404, 413, 415, 422, 503)
def undo_edit(body: dict[str, Any], identifier: str) -> Response:
    """Undo the last change of a transcript.

    Repeated, it goes back to the machine's result.
    """
    return _revise(find_transcript(identifier), lambda latest: history.undo(latest, body["revision"]))


@blueprint.route("/task/<identifier>/revisions", methods=["GET"])
@blueprint.response(200, schemas.Revisions, example=schemas.REVISIONS_EXAMPLE)
@document_errors(blueprint, 404, 409, 503)
def list_revisions(identifier: str) -> Response:
    """List the revisions of a task's result."""
    row = find_task(identifier)
    require_completed(row)
    made = revisions.list_revisions(row.uuid)
    entries = [
        (0, 0, 0, row.finished_at),
        *((each.number, each.content, each.changed, each.created_at) for each in made),
    ]
    listed = [
        {"revision": number, "content": content, "changed": changed, "created_at": format_time(moment)}
        for number, content, changed, moment in entries
    ]
    return _answer({"revision": len(made), "revisions": listed}, 200)


def find_transcript(identifier: str) -> Task:
    """Find a completed task with a transcript; answers 404, 409 and 422."""
    row = find_task(identifier)
    if row.task_type not in TRANSCRIPTS:
        reject({"identifier": [f"Only transcripts can be edited, not the result of a {row.task_type} task."]})
    require_completed(row)
    return row


def _revise(row: Task, make: Callable[[Result], Revised]) -> Response:
    """Make a revision, and answer with what it changed."""
    try:
        made = make(results.get(row.uuid) or abort_not_found())
    except DeletedError:
        abort_not_found()
    except EditError as error:
        reject({error.place: [str(error)]})
    except RevisionError as error:
        reject({"revision": [str(error)]})
    except EditedMeanwhileError as error:
        message = MEANWHILE.format(error.latest)
        return _answer(CONFLICT | {"message": message, "revision": error.latest, "changed": error.changed}, 409)
    log.info("task %s: revision %d, %d segments changed", row.uuid, made.revision, len(made.changed))
    return _answer({"revision": made.revision, "segments": made.changed}, 200)


def _answer(body: dict[str, Any], status: int) -> Response:
    return current_app.response_class(write_json(body) + "\n", status, mimetype="application/json")
