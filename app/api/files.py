"""The files of a finished task: all stems as one ZIP, or one of them, whole or in ranges."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from flask import Response, current_app, send_file
from flask_smorest import Blueprint
from werkzeug.exceptions import Gone, NotFound

from app.api.lookup import found, require_completed, require_files
from app.core.db.states import CANCELLED, FAILED
from app.core.db.tasks import Task
from app.current import get_settings
from app.formats import stem_archive
from app.openapi import documented_errors

blueprint = Blueprint("Files", __name__, description="Separated stems, until they are purged.")

ERRORS = (404, 409, 410, 503)
BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/task/file/<identifier>", methods=["GET"])
@blueprint.response(200, BINARY, content_type="application/zip", description="All files of the task.")
@documented_errors(blueprint, *ERRORS)
def archive(identifier: str) -> Response:
    """Download all stems as a ZIP."""
    row = found(identifier)
    paths = _stems(row)
    try:
        content = stem_archive.Archive(paths)
    except FileNotFoundError:
        _gone()
    response = current_app.response_class(content, mimetype="application/zip", direct_passthrough=True)
    response.content_length = len(content)
    response.headers["Content-Disposition"] = f"attachment; filename={row.uuid}.zip"
    return response


@blueprint.route("/task/<identifier>/file/<name>", methods=["GET"])
@blueprint.response(200, BINARY, content_type="audio/*", description="The file.")
@blueprint.alt_response(206, schema=BINARY, content_type="audio/*", description="The part that Range asks for.")
@documented_errors(blueprint, *ERRORS, 416)
def stem(identifier: str, name: str) -> Response:
    """Download one stem, or the part of it that a Range header names."""
    paths = _stems(found(identifier))
    if name not in paths:  # compared with what there is: a client's name never becomes part of a path
        raise NotFound(f"The task has no such file; there are: {', '.join(paths)}.")
    try:
        return send_file(paths[name], conditional=True, as_attachment=True, download_name=name)
    except FileNotFoundError:
        _gone()


def _stems(row: Task) -> dict[str, Path]:
    """Name → path of its files. Answers 409 while it is unfinished, 404 when it has none, 410 once they are purged."""
    if row.status not in (FAILED, CANCELLED):
        require_completed(row)
    if not stem_archive.keeps_stems(row):
        raise NotFound("This task has no files.")
    require_files(row)
    return stem_archive.found(get_settings().cache.path, row) or _gone()


def _gone() -> NoReturn:
    """Answer 410 when a purge removed the files after this request had read the row."""
    raise Gone("The files of this task have been removed.")
