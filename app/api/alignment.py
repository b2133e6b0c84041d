"""Align a known transcript with its recording: POST /alignment, and POST /task/<identifier>/align."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from flask import Response, current_app, url_for
from flask.typing import ResponseReturnValue

from app.api.lookup import abort_not_found, require_files
from app.api.revisions import find_transcript
from app.core.db import results
from app.core.db.states import ALIGNMENT
from app.core.db.tasks import Task
from app.core.params import AlignmentParams, RecordingOptions, WhisperOptions, parse_params
from app.current import get_settings
from app.http_errors import reject
from app.openapi import document_errors, document_submission
from app.schemas.alignment import AlignmentParameters, explain_language
from app.schemas.task import IDENTIFIER, SUBMITTED_EXAMPLE, Submitted
from app.schemas.transcript import write_segments
from app.submission.accept import Order
from app.submission.copies import create_from_task
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Alignment", __name__, description="Times for the words of a known transcript.")
QUEUED = "Alignment task has queued"
TRANSLATION = "A translation cannot be aligned with the recording."


@blueprint.route("/alignment", methods=["POST"])
@document_submission(blueprint, AlignmentParameters)
def align(submission: Submission[AlignmentParams]) -> ResponseReturnValue:
    """Find the times of the words of a given transcript."""
    text = submission.params.transcript
    params = replace(submission.params, transcript=compute_digest(text))
    return submit(ALIGNMENT, replace(submission, params=params), [], transcript=text)


@blueprint.route("/task/<identifier>/align", methods=["POST"])
@blueprint.response(
    201,
    Submitted,
    example=SUBMITTED_EXAMPLE | {"message": QUEUED},
    headers={"Location": {"description": f"/task/{IDENTIFIER}", "schema": {"type": "string"}}},
)
@document_errors(blueprint, 404, 409, 410, 422, 429, 503)
def align_again(identifier: str) -> ResponseReturnValue:
    """Find the times of the words of a task's latest text, in a new task.

    Its segments have the ids of the transcript, so that their words can be sent back as edits.
    """
    row = find_transcript(identifier)
    require_files(row)
    text = _read_text(row)
    recording = parse_params(row.task_type, row.params)
    if isinstance(recording, WhisperOptions) and recording.is_translate:
        reject({"identifier": [TRANSLATION]})
    say = explain_language(row.language, get_settings())
    if say is not None:
        reject({"identifier": [say]})
    assert isinstance(recording, RecordingOptions)
    params = AlignmentParams(
        audio_track=recording.audio_track,
        raw_pcm=recording.raw_pcm,
        transcript=compute_digest(text),
        lang=str(row.language),
    )
    created = create_from_task(Order(ALIGNMENT, params, transcript=text), row)
    body = json.dumps({"identifier": created, "status": "QUEUED", "message": QUEUED}) + "\n"
    response: Response = current_app.response_class(body, 201, mimetype="application/json")
    response.headers["Location"] = url_for("Task.get_task", identifier=created)
    return response


def compute_digest(transcript: str) -> str:
    """Return the SHA-256 of a transcript, in hexadecimal."""
    return hashlib.sha256(transcript.encode()).hexdigest()


def _read_text(row: Task) -> str:
    latest = results.get(row.uuid) or abort_not_found()
    segments = [segment for segment in json.loads(latest.result) if segment["text"].strip()]
    if not segments:
        reject({"identifier": ["The transcript has no text."]})
    return write_segments(segments)
