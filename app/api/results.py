"""GET /task/<identifier>/result: the result as a file for a player, an editor or a spreadsheet."""

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
    """Download the result of a finished task as json, txt, srt, vtt or tsv."""
    row, chosen = find_task(identifier), params["format"]
    write = list_writers(row.task_type).get(chosen) or _unsuitable(row.task_type)
    require_completed(row)
    content = _write_file(row, write) if chosen == "json" else _render_once(row, chosen, write)
    name = download_name(row.file_name, row.uuid, chosen)
    response = send_file(content, MIMETYPES[chosen], as_attachment=True, download_name=name, etag=False)
    if chosen != "json":
        response.mimetype_params["charset"] = "utf-8"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _render_once(row: Task, file_format: str, write: Writer) -> BytesIO:
    """Read the rendered file from the database; the first request for it renders and stores it."""
    known = renderings.get(row.uuid, file_format, VERSION)
    if known is not None:
        return BytesIO(known)
    content = _write_file(row, write)
    renderings.store(row.uuid, file_format, VERSION, content.getvalue())
    return content


def _write_file(row: Task, write: Writer) -> BytesIO:
    """Write the result in one format. Answers 404 when the task has just been deleted."""
    result = results.get(row.uuid) or abort_not_found()
    # Encode piece by piece: the text of a long recording is never in memory a second time.
    content = BytesIO()
    content.writelines(piece.encode() for piece in write(result.result))
    content.seek(0)
    return content


def _unsuitable(task_type: str) -> Any:
    known = ", ".join(list_writers(task_type))
    return reject({"format": [f"Not available for a {task_type} task; use one of: {known}."]})
