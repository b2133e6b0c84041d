"""The transcript object: a task as AssemblyAI's clients see it."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, NotFound

from app.api.assemblyai.spans import list_utterances
from app.api.assemblyai.words import join_words, list_words, rate
from app.api.lookup import find_task
from app.core.db import results
from app.core.db.results import Result
from app.core.db.states import CANCELLED, COMPLETED, FAILED, IN_PROGRESS, QUEUED, TRANSCRIPTION
from app.core.db.tasks import Task
from app.core.params import FILE_URL

STATUSES = {QUEUED: "queued", IN_PROGRESS: "processing", COMPLETED: "completed", FAILED: "error", CANCELLED: "error"}
NO_TRANSCRIPT = "There is no transcript with this id."
UPLOADS = "/v2/upload/"
UPLOAD_PATH = re.compile(rf"{UPLOADS}([A-Za-z0-9_-]{{43}})", re.ASCII)
REMOVED_URL, REMOVED_TEXT = "http://deleted_by_user", "Deleted by user."


def find_transcript(identifier: str) -> Task:
    """Find the row of a transcription, or answer 404."""
    try:
        row = find_task(identifier)
    except NotFound as error:
        raise NotFound(NO_TRANSCRIPT) from error
    if row.task_type != TRANSCRIPTION:
        raise NotFound(NO_TRANSCRIPT)
    return row


def find_result(row: Task) -> str:
    """Return the stored result as JSON text. Answers 400 unless the transcript is completed."""
    if row.status != COMPLETED:
        raise BadRequest(f"The transcript has the status {STATUSES[row.status]!r}; it must be 'completed'.")
    found = results.get(row.uuid)
    if found is None:  # deleted meanwhile
        raise NotFound(NO_TRANSCRIPT)
    return str(found.result)


def describe_transcript(row: Task) -> dict[str, Any]:
    """Collect the members of a transcript object."""
    params = json.loads(row.params)
    body: dict[str, Any] = {
        "id": row.uuid,
        "status": STATUSES[row.status],
        "audio_url": show_audio_url(row),
        "language_code": row.language or params.get("lang"),
        "language_detection": params.get("lang") is None,
        "speaker_labels": bool(params.get("is_diarize")),
        "punctuate": True,
        "format_text": True,
        "speech_model_used": params.get("model_size"),
        "audio_duration": round(row.audio_duration) if row.audio_duration is not None else None,
        "error": describe_error(row),
    }
    warnings = [{"message": warning} for warning in json.loads(row.warnings)]
    body["metadata"] = {"warnings": warnings} if warnings else None
    if row.status == COMPLETED:
        body |= _describe_result(results.get(row.uuid), bool(params.get("is_diarize")))
    # What is not known is absent: some members must not be null.
    return {name: value for name, value in body.items() if value is not None}


def describe_removed(row: Task) -> dict[str, Any]:
    """Describe a transcript that was just deleted."""
    return {"id": row.uuid, "status": STATUSES[row.status], "audio_url": REMOVED_URL, "text": REMOVED_TEXT}


def describe_error(row: Task) -> str | None:
    if row.status == CANCELLED:
        return "The transcript was cancelled."
    return row.error if row.status == FAILED else None


def show_audio_url(row: Task) -> str:
    """The URL of the recording, without its query."""
    return json.loads(row.params).get(FILE_URL) or f"{request.url_root}v2/upload/"


def _describe_result(result: Result | None, has_speakers: bool) -> dict[str, Any]:
    if result is None:
        raise NotFound(NO_TRANSCRIPT)
    words = list_words(str(result.result))
    body = {"text": join_words(words), "confidence": rate(words), "words": [word.to_json() for word in words]}
    return body | ({"utterances": list_utterances(words)} if has_speakers else {})
