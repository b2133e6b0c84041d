"""GET /results: the results of several tasks as one ZIP."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, stream_with_context

from app.api.lookup import find_task
from app.api.query import QueryBlueprint, QueryParser
from app.api.results import read_result_file
from app.core.db.tasks import Task
from app.current import get_settings
from app.formats import list_writers
from app.formats.selection_archive import write_selection
from app.http_errors import reject
from app.openapi import document_errors
from app.schemas.selection import SelectionParameters


class SelectionParser(QueryParser):
    """Accept several tasks and formats."""

    repeatable = ("task", "format")


class SelectionBlueprint(QueryBlueprint):
    """A blueprint that parses its arguments with SelectionParser."""

    ARGUMENTS_PARSER = SelectionParser()


blueprint = SelectionBlueprint("Selection", __name__, description="Results of several tasks.")

BINARY = {"type": "string", "format": "binary"}
NAME = "transcripts.zip"


@blueprint.route("/results", methods=["GET"])
@blueprint.arguments(SelectionParameters, location="query")
@blueprint.response(200, BINARY, content_type="application/zip", description="The results of the completed tasks.")
@document_errors(blueprint, 404, 422, 503)
def download_selection(params: dict[str, Any]) -> Response:
    """Download the results of several tasks as a ZIP.

    The files are named after the recordings. "not completed.txt" says why others are missing.
    """
    identifiers, formats = list(dict.fromkeys(params["task"])), list(dict.fromkeys(params["format"]))
    most = get_settings().limits.max_batch
    if len(identifiers) > most:
        reject({"task": [f"At most {most} tasks, not {len(identifiers)}; download them in several parts."]})
    rows = [find_task(identifier) for identifier in identifiers]
    require_formats(rows, formats)
    pieces = write_selection(rows, formats, read_result_file)
    response = current_app.response_class(stream_with_context(pieces), mimetype="application/zip")
    response.headers["Content-Disposition"] = f"attachment; filename={NAME}"
    return response


def require_formats(rows: list[Task], formats: list[str]) -> None:
    """Answer 422 for a format that none of the tasks has, or a task that has none of the formats."""
    kinds = {row.task_type: list_writers(row.task_type) for row in rows}
    errors = [
        f"{file_format} is not available for these tasks."
        for file_format in formats
        if not any(file_format in writers for writers in kinds.values())
    ]
    errors += [
        f"A {kind} task has none of these formats; use one of: {', '.join(writers)}."
        for kind, writers in kinds.items()
        if not any(file_format in writers for file_format in formats)
    ]
    if errors:
        reject({"format": errors})
