"""POST /asr: transcribe a recording, and answer with the transcript."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, request

from app.api.asr.errors import TEXT, describe_end
from app.api.asr.outputs import write
from app.api.asr.parameters import Asked, prefers_json, read_transcription
from app.api.asr.recording import read_recording
from app.api.asr.task_headers import name_task
from app.api.lookup import abort_not_found
from app.core.db import results
from app.core.db.states import COMPLETED, TRANSCRIPTION
from app.core.db.tasks import Task
from app.core.params import TranscriptionParams
from app.current import get_settings
from app.submission.accept import Order
from app.submission.body import require_form
from app.submission.part_types import is_raw_pcm
from app.submission.synchronous import start_task, wait_for_task
from app.waiting import require_waiter

NAME = "asr"
ENGINE = "whisperx"
LABEL_LENGTH = 200

blueprint = Blueprint(NAME, __name__)


@blueprint.post("/asr")
def transcribe() -> Response:
    """Transcribe a recording."""
    require_waiter()
    require_form(request)
    upload = read_recording(request)
    asked = read_transcription(request, is_raw_pcm(upload))
    order = Order(TRANSCRIPTION, asked.params, asked.warnings, facade=NAME, webhook=asked.receiver)
    identifier = start_task(order, upload)
    longest = get_settings().limits.max_wait
    row = wait_for_task(identifier, longest)
    if row.status != COMPLETED:
        return describe_end(row, longest)
    return _answer(row, asked, upload.filename or "")


def _answer(row: Task, asked: Asked[TranscriptionParams], label: str) -> Response:
    result = results.get(row.uuid) or abort_not_found()
    body = b"".join(piece.encode() for piece in write(asked.output, row, result, asked.word_times))
    is_json = asked.output == "json" and prefers_json(request)
    response = Response(body, content_type="application/json" if is_json else TEXT)
    name = quote(label.encode("utf-8", "replace")[:LABEL_LENGTH])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{asked.output}"'
    response.headers["Asr-Engine"] = ENGINE
    # A transcript may contain HTML: browsers must not guess the type.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return name_task(response, row)
