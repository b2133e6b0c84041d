"""GET /task/<identifier>/result: results as files.

For players, subtitle editors and spreadsheets.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import Response, send_file

from app.api.lookup import abort_not_found, find_task, require_completed
from app.api.query import QueryBlueprint
from app.core.db import renderings, results
from app.core.db.tasks import Task
from app.formats import MIMETYPES, VERSION, Writer, list_writers
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
    write = list_writers(row.task_type).get(chosen) or _reject_format(row.task_type)
    # JSON is the stored result itself: a rendering would only be a second copy of it.
    content = _write_file(row, write) if chosen == "json" else _render_once(row, chosen, write)
    name = download_name(row.file_name, row.uuid, chosen)
    response = send_file(content, MIMETYPES[chosen], as_attachment=True, download_name=name, etag=False)
    if chosen != "json":
        response.mimetype_params["charset"] = "utf-8"
    # A transcript may contain HTML: browsers must not guess the type.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _render_once(row: Task, file_format: str, write: Writer) -> BytesIO:
    """Read the rendered file, or render and store it."""
    known = renderings.get(row.uuid, file_format, VERSION)
    if known is not None:
        return BytesIO(known)
    content = _write_file(row, write)
    renderings.store(row.uuid, file_format, VERSION, content.getvalue())
    return content


def _write_file(row: Task, write: Writer) -> BytesIO:
    """Write the result in one format.

    Answers 404 when the task has just been deleted.
    """
    result = results.get(row.uuid) or abort_not_found()
    # Encode piece by piece: the text of a long recording is not held in memory twice.
    content = BytesIO()
    content.writelines(piece.encode() for piece in write(result.result))
    content.seek(0)
    return content


def _reject_format(task_type: str) -> Any:
    known = ", ".join(list_writers(task_type))
    return reject({"format": [f"Not available for a {task_type} task; use one of: {known}."]})
