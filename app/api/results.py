"""GET /task/<identifier>/result: results as files.

For players, subtitle editors and spreadsheets.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from flask import Response, send_file

from app.api.lookup import abort_not_found, find_task, require_completed
from app.api.query import QueryBlueprint
from app.core.db import renderings, results, revisions
from app.core.db.results import Result
from app.core.db.states import TRANSCRIPTION, TRANSCRIPTS
from app.core.db.tasks import Task
from app.editing import history
from app.formats import BINARY, EXTENSIONS, MIMETYPES, VERSION, list_writers
from app.formats.choices import Choices, read_choices
from app.formats.file_name import download_name
from app.formats.source import NO_TURNS, Source, UnwritableError
from app.http_errors import reject
from app.openapi import document_errors
from app.schemas.result import ResultParameters, document_formats

USUAL = Choices()
NO_NAMES = "{}"

blueprint = QueryBlueprint("Result", __name__, description="Results as files.")


@blueprint.route("/task/<identifier>/result", methods=["GET"])
@blueprint.arguments(ResultParameters, location="query")
@document_errors(blueprint, 404, 409, 422, 503)
@blueprint.doc(responses={"200": {"description": "The file.", "content": document_formats()}})
def download_result(params: dict[str, Any], identifier: str) -> Response:
    """Download the result of a finished task as a file."""
    row, chosen, choices = find_task(identifier), params["format"], read_choices(params)
    require_completed(row)
    require_format(row.task_type, chosen, choices)
    require_turns(row, chosen)
    try:
        content = read_result_file(row, chosen, choices, params["revision"])
    except UnwritableError as error:
        reject({"format": [str(error)]})
    if content is None:  # the task has just been deleted
        abort_not_found()
    name = download_name(row.file_name, row.uuid, EXTENSIONS[chosen])
    response = send_file(content, MIMETYPES[chosen], as_attachment=True, download_name=name, etag=False)
    if chosen != "json" and chosen not in BINARY:
        response.mimetype_params["charset"] = "utf-8"
    # A transcript may contain HTML: browsers must not guess the type.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def require_format(task_type: str, file_format: str, choices: Choices = USUAL) -> None:
    """Answer 422 for a format that tasks of this kind do not have, and for choices about what they lack."""
    known = list_writers(task_type)
    if file_format not in known:
        reject({"format": [f"Not available for a {task_type} task; use one of: {', '.join(known)}."]})
    if task_type not in TRANSCRIPTS and choices.list_made():
        reject({name: [f"Has no effect on a {task_type} task."] for name in choices.list_made()})


def require_turns(row: Task, file_format: str) -> None:
    """Answer 422 for a format that consists of speaker turns, if the task was not asked for speakers."""
    if file_format == "rttm" and row.task_type == TRANSCRIPTION and not json.loads(row.params).get("is_diarize"):
        reject({"format": [NO_TURNS]})


def find_result(uuid: str, revision: int | None) -> Result | None:
    """Return the result at ``revision``, None for the latest; None if the task has no result.

    Answers 422 for a revision that does not exist.
    """
    latest = results.get(uuid)
    try:
        return history.read_result(latest, revision) if latest is not None else None
    except history.RevisionError as error:
        reject({"revision": [str(error)]})


def read_result_file(
    row: Task, file_format: str, choices: Choices = USUAL, revision: int | None = None
) -> BytesIO | None:
    """Read the rendered file of ``revision``, or render and store it; None if the task has no result.

    Without ``revision``, it is the latest one. Raises UnwritableError if the result lacks what the format consists of.
    """
    # JSON is the stored result itself: a rendering would only be a second copy of it. Files with names are not stored
    # either: a name that has just been changed would still be in them.
    is_kept = file_format != "json" and row.speaker_names == NO_NAMES and choices == USUAL
    if is_kept:
        wanted = revisions.find_latest(row.uuid) if revision is None else revision
        known = renderings.get(row.uuid, file_format, VERSION, wanted)
        if known is not None:
            return BytesIO(known)
    result = find_result(row.uuid, revision)
    if result is None:
        return None
    # Encode piece by piece: the text of a long recording is not held in memory twice.
    content = BytesIO()
    for piece in list_writers(row.task_type)[file_format](make_source(row, result, choices)):
        content.write(piece if isinstance(piece, bytes) else piece.encode())
    content.seek(0)
    if is_kept and revision is None:  # few clients want an older one
        renderings.store(row.uuid, file_format, VERSION, content.getvalue(), result.revision)
    return content


def make_source(row: Task, result: Result, choices: Choices) -> Source:
    """Collect what the writers need."""
    return Source(
        result.result,
        label=row.file_name,
        identifier=row.uuid,
        length=row.audio_duration,
        language=row.language,
        ended_at=row.finished_at,
        names=json.loads(row.speaker_names),
        turns=result.speaker_turns,
        choices=choices,
    )
