"""The recording of a task and its waveform, for players.

An upload may be anything, also a page with scripts. It is sent as an attachment, with a media type or as bytes, and a
browser that shows it all the same runs nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from flask import Response, send_file
from werkzeug.exceptions import Gone, NotFound

from app.api.files import find_stem_file
from app.api.lookup import Unfinished, estimate_retry_seconds, find_task, format_time
from app.api.query import QueryBlueprint
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task
from app.core.media_types import MEDIA_TYPES, choose_media_type
from app.core.storage.paths import SOURCE, copy_path, source_path, waveform_path
from app.current import get_settings
from app.formats.file_name import download_name, original_name
from app.openapi import document_errors
from app.schemas.listening import WAVEFORM_EXAMPLE, RecordingQuery, Waveform, WaveformQuery

blueprint = QueryBlueprint("Listening", __name__, description="Recordings and waveforms, for players.")

COPY_TYPE = "audio/mpeg"
SAFE_HEADERS = {
    "Content-Security-Policy": "sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
BINARY = {"type": "string", "format": "binary"}
CONTENT = {media_type: {"schema": BINARY} for media_type in sorted({*MEDIA_TYPES, choose_media_type(None)})}
NOT_YET = "The task is IN_PROGRESS; its waveform is not available yet."
REMOVED = "The recording of this task was removed at 2026-11-22T13:10:00.000Z."


@blueprint.route("/task/<identifier>/recording", methods=["GET"])
@blueprint.arguments(RecordingQuery, location="query")
@document_errors(blueprint, 404, 409, 410, 416, 422, 503, say_409=NOT_YET, say_410=REMOVED)
@blueprint.doc(
    responses={
        "200": {"description": "The recording.", "content": CONTENT},
        "206": {"description": "The requested range.", "content": CONTENT},
    }
)
def download_recording(params: dict[str, Any], identifier: str) -> Response:
    """Download the recording of a task, or a range of it.

    With copy=true, it is the copy that listening_copy=auto has made.
    """
    row, cache = find_task(identifier), get_settings().cache.path
    if params["copy"]:
        name = download_name(row.file_name, row.uuid, "mp3")
        response = _send(row, copy_path(cache, row.uuid), COPY_TYPE, name, "listening copy")
    else:
        name = original_name(row.file_name, row.uuid)
        response = _send(row, source_path(cache, row.uuid), choose_media_type(row.media_type), name, "recording")
    response.headers.update(SAFE_HEADERS)
    return response


@blueprint.route("/task/<identifier>/waveform", methods=["GET"])
@blueprint.arguments(WaveformQuery, location="query")
@blueprint.response(200, Waveform, example=WAVEFORM_EXAMPLE)
@document_errors(blueprint, 404, 409, 410, 422, 503, say_409=NOT_YET, say_410=REMOVED)
def get_waveform(params: dict[str, Any], identifier: str) -> Response:
    """Read the waveform of the recording, or of one stem."""
    row = find_task(identifier)
    sound = find_stem_file(row, params["file"]).stem if params["file"] else SOURCE
    path = waveform_path(get_settings().cache.path, row.uuid, sound)
    return _send(row, path, "application/json", f"{row.uuid}.json", "waveform")


def _send(row: Task, path: Path, media_type: str, name: str, what: str) -> Response:
    try:
        return send_file(path, media_type, as_attachment=True, download_name=name, conditional=True)
    except FileNotFoundError:
        _explain_missing(row, what)


def _explain_missing(row: Task, what: str) -> NoReturn:
    """Answer 410 for a file that was removed, 409 for one that may still come, else 404."""
    if row.files_purged_at is not None:
        raise Gone(f"The {what} of this task was removed at {format_time(row.files_purged_at)}.")
    if row.status not in TERMINAL:
        raise Unfinished(f"The task is {row.status}; its {what} is not available yet.", estimate_retry_seconds(row))
    raise NotFound(f"This task has no {what}.")
