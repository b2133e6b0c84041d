"""PATCH /task/<identifier>: give names to the speakers of a transcript."""

from __future__ import annotations

import json
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from app.api.json_body import read_object
from app.api.lookup import abort_not_found, find_task, require_completed
from app.api.query import QueryBlueprint, describe_errors
from app.core.db import results, speaker_names
from app.core.db.results import Result
from app.core.db.states import TRANSCRIPTS
from app.formats.turns import iter_items
from app.http_errors import reject
from app.openapi import document_errors
from app.schemas.speaker_names import EXAMPLE, NamedSpeakers, SpeakerNames
from app.schemas.task import IDENTIFIER

blueprint = QueryBlueprint("Speakers", __name__, description="The names of speakers.")

NOT_COMPLETED = "The task is IN_PROGRESS; its result is not available yet."
ANSWER = {"identifier": IDENTIFIER, "speaker_names": {"SPEAKER_00": "Maria"}}
BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SpeakerNames"}, "example": EXAMPLE}},
}


@blueprint.route("/task/<identifier>", methods=["PATCH"])
@blueprint.response(200, NamedSpeakers, example=ANSWER)
@document_errors(blueprint, 400, 404, 409, 413, 415, 422, 503, say_409=NOT_COMPLETED)
@blueprint.doc(requestBody=BODY)
def name_speakers(identifier: str) -> ResponseReturnValue:
    """Give names to the speakers of a finished transcription.

    All files of the result have them. Two labels with the same name are one person there.
    """
    changes = read_changes()
    row = find_task(identifier)
    require_completed(row)
    result = results.get(row.uuid) or abort_not_found()  # the task has just been deleted
    has_speakers = row.task_type in TRANSCRIPTS
    require_labels(changes, list_labels(result) if has_speakers else set())
    names = speaker_names.change(row.uuid, changes)
    if names is None:
        abort_not_found()
    return {"identifier": row.uuid, "speaker_names": names}, 200


def read_changes() -> dict[str, str | None]:
    """Read the names from the body, or answer 400, 413, 415 or 422."""
    schema = SpeakerNames()
    try:
        given: dict[str, Any] = schema.load(read_object(request, json.dumps(EXAMPLE)))
    except ValidationError as error:
        reject(describe_errors(error, schema, schema.fields))
    changes: dict[str, str | None] = given["speaker_names"]
    return changes


def require_labels(changes: dict[str, str | None], known: set[str]) -> None:
    """Answer 422 for labels that are not in the transcript."""
    unknown = changes.keys() - known
    if unknown:
        there = f"the speakers are {', '.join(sorted(known))}" if known else "there are no speakers"
        reject({"speaker_names": [f"Unknown speaker {label!r:.80}; {there}." for label in sorted(unknown)]})


def list_labels(result: Result) -> set[str]:
    """List the labels of the speakers of a transcription."""
    labels = {label for _, _, label in json.loads(result.speaker_turns or "[]")}
    for segment in iter_items(result.result):
        labels.update(said["speaker"] for said in (segment, *(segment.get("words") or ())) if said.get("speaker"))
    return labels
