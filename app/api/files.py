"""Download the stems of a finished task."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from flask import Response, current_app, send_file
from flask_smorest import Blueprint
from werkzeug.exceptions import Gone, NotFound

from app.api.lookup import find_task, require_completed, require_files
from app.core.db.states import CANCELLED, FAILED
from app.core.db.tasks import Task
from app.current import get_settings
from app.formats import stem_archive
from app.openapi import document_errors

blueprint = Blueprint("Files", __name__, description="Separated stems, until they are purged.")

ERRORS = (404, 409, 410, 503)
BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/task/file/<identifier>", methods=["GET"])
@blueprint.response(200, BINARY, content_type="application/zip", description="All files of the task.")
@document_errors(blueprint, *ERRORS)
def archive(identifier: str) -> Response:
    """Download all stems as a ZIP."""
    row = find_task(identifier)
    paths = _find_stems(row)
    try:
        content = stem_archive.Archive(paths)
    except FileNotFoundError:
        _abort_gone()
    response = current_app.response_class(content, mimetype="application/zip", direct_passthrough=True)
    response.content_length = len(content)  # clients can show progress and notice a broken download
    response.headers["Content-Disposition"] = f"attachment; filename={row.uuid}.zip"
    return response


@blueprint.route("/task/<identifier>/file/<name>", methods=["GET"])
@blueprint.response(200, BINARY, content_type="audio/*", description="The file.")
@blueprint.alt_response(206, schema=BINARY, content_type="audio/*", description="The requested range.")
@document_errors(blueprint, *ERRORS, 416)
def stem(identifier: str, name: str) -> Response:
    """Download one stem, or a range of it."""
    path = find_stem_file(find_task(identifier), name)
    try:
        return send_file(path, conditional=True, as_attachment=True, download_name=name)
    except FileNotFoundError:
        _abort_gone()


def find_stem_file(row: Task, name: str) -> Path:
    """Find one stem of a task, or answer 404, 409 or 410."""
    paths = _find_stems(row)
    if name not in paths:  # looked up among the files on disk: a client's name never becomes part of a path
        raise NotFound(f"This task has no such file. Available: {', '.join(paths)}.")
    return paths[name]


def _find_stems(row: Task) -> dict[str, Path]:
    """Map the task's file names to paths.

    Answers 409 while the task is unfinished, 404 when it has no files, 410 once they are purged.
    """
    # A failed or cancelled task will never have files: that is the 404 below, not a 409.
    if row.status not in (FAILED, CANCELLED):
        require_completed(row)
    if not stem_archive.has_stems(row):
        raise NotFound("This task has no files.")
    require_files(row)
    return stem_archive.find_stems(get_settings().cache.path, row) or _abort_gone()


def _abort_gone() -> NoReturn:
    """Answer 410 for files that were purged meanwhile."""
    raise Gone("The files of this task have been removed.")
