"""GET /task/<identifier>/result: results as files.

For players, subtitle editors and spreadsheets.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import Response, send_file

from app.api.lookup import abort_not_found, find_task, require_completed
from app.api.query import QueryBlueprint
from app.core.db import renderings, results, revisions
from app.core.db.results import Result
from app.core.db.tasks import Task
from app.editing import history
from app.formats import MIMETYPES, VERSION, list_writers
from app.formats.file_name import download_name
from app.http_errors import reject
from app.openapi import document_errors
from app.schemas.result import ResultParameters, document_formats

blueprint = QueryBlueprint("Result", __name__, description="Results as files.")


@blueprint.route("/task/<identifier>/result", methods=["GET"])
@blueprint.arguments(ResultParameters, location="query")
@document_errors(blueprint, 404, 409, 422, 503)
@blueprint.doc(responses={"200": {"description": "The file.", "content": document_formats()}})
def download_result(params: dict[str, Any], identifier: str) -> Response:
    """Download the result of a finished task.

    The format is json, txt, srt, vtt or tsv.
    """
    row, chosen = find_task(identifier), params["format"]
    require_completed(row)
    require_format(row.task_type, chosen)
    content = read_result_file(row, chosen, params["revision"]) or abort_not_found()  # the task has just been deleted
    name = download_name(row.file_name, row.uuid, chosen)
    response = send_file(content, MIMETYPES[chosen], as_attachment=True, download_name=name, etag=False)
    if chosen != "json":
        response.mimetype_params["charset"] = "utf-8"
    # A transcript may contain HTML: browsers must not guess the type.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def require_format(task_type: str, file_format: str) -> None:
    """Answer 422 for a format that tasks of this kind do not have."""
    known = list_writers(task_type)
    if file_format not in known:
        reject({"format": [f"Not available for a {task_type} task; use one of: {', '.join(known)}."]})


def find_result(uuid: str, revision: int | None) -> Result | None:
    """Return the result at ``revision``, None for the latest; None if the task has no result.

    Answers 422 for a revision that does not exist.
    """
    latest = results.get(uuid)
    try:
        return history.read_result(latest, revision) if latest is not None else None
    except history.RevisionError as error:
        reject({"revision": [str(error)]})


def read_result_file(row: Task, file_format: str, revision: int | None = None) -> BytesIO | None:
    """Read the rendered file of ``revision``, or render and store it; None if the task has no result.

    Without ``revision``, it is the latest one.
    """
    # JSON is the stored result itself: a rendering would only be a second copy of it.
    if file_format != "json":
        wanted = revisions.find_latest(row.uuid) if revision is None else revision
        known = renderings.get(row.uuid, file_format, VERSION, wanted)
        if known is not None:
            return BytesIO(known)
    result = find_result(row.uuid, revision)
    if result is None:
        return None
    # Encode piece by piece: the text of a long recording is not held in memory twice.
    content = BytesIO()
    content.writelines(piece.encode() for piece in list_writers(row.task_type)[file_format](result.result))
    content.seek(0)
    if file_format != "json" and revision is None:  # few clients want an older one
        renderings.store(row.uuid, file_format, VERSION, content.getvalue(), result.revision)
    return content
