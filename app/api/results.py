"""GET /task/<identifier>/result: what came of a task, as a file that a player, an editor or a spreadsheet opens."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import Response, send_file

from app.api.lookup import found, missing, require_completed
from app.api.query import QueryBlueprint
from app.core.db import tasks
from app.formats import MIMETYPES, writers
from app.formats.file_name import download_name
from app.http_errors import reject
from app.openapi import documented_errors
from app.schemas.result import ResultParameters, documented_formats

blueprint = QueryBlueprint("Result", __name__, description="Results as files.")


@blueprint.route("/task/<identifier>/result", methods=["GET"])
@blueprint.arguments(ResultParameters, location="query")
@documented_errors(blueprint, 404, 409, 422, 503)
@blueprint.doc(responses={"200": {"description": "The file.", "content": documented_formats()}})
def download(params: dict[str, Any], identifier: str) -> Response:
    """Download the result of a finished task as json, txt, srt, vtt or tsv."""
    row, chosen = found(identifier), params["format"]
    write = writers(row.task_type).get(chosen) or _unsuitable(row.task_type)
    require_completed(row)
    finished = tasks.get(identifier) or missing()
    # One piece after the other into bytes: the text of a long day is never there twice.
    content = BytesIO()
    content.writelines(piece.encode() for piece in write(finished.result or "null"))
    content.seek(0)
    name = download_name(row.file_name, row.uuid, chosen)
    response = send_file(content, MIMETYPES[chosen], as_attachment=True, download_name=name, etag=False)
    if chosen != "json":
        response.mimetype_params["charset"] = "utf-8"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _unsuitable(task_type: str) -> Any:
    known = ", ".join(writers(task_type))
    return reject({"format": [f"The result of a {task_type} task cannot be written so; there is {known}."]})
