"""Align a known transcript with its recording: POST /alignment, and POST /task/<identifier>/align."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.api.lookup import abort_not_found
from app.api.revisions import find_transcript
from app.core.db import results
from app.core.db.states import ALIGNMENT
from app.core.db.tasks import Task
from app.core.params import AlignmentParams, ListeningOptions, WhisperOptions, parse_params
from app.current import get_settings
from app.http_errors import reject
from app.openapi import document_errors, document_submission
from app.schemas.alignment import AlignmentParameters, explain_language
from app.schemas.task import IDENTIFIER, SUBMITTED_EXAMPLE, Submitted
from app.schemas.transcript import write_segments
from app.submission.earlier import GONE, find_recording
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
@document_errors(blueprint, 404, 409, 410, 422, 429, 503, say_410=GONE)
def align_again(identifier: str) -> ResponseReturnValue:
    """Find the times of the words of a task's latest text, in a new task.

    Its segments have the ids of the transcript, so that their words can be sent back as edits.
    """
    row = find_transcript(identifier)
    text = _read_text(row)
    recording = parse_params(row.task_type, row.params)
    if isinstance(recording, WhisperOptions) and recording.is_translate:
        reject({"identifier": [TRANSLATION]})
    say = explain_language(row.language, get_settings())
    if say is not None:
        reject({"identifier": [say]})
    assert isinstance(recording, ListeningOptions)
    params = AlignmentParams(
        audio_track=recording.audio_track,
        raw_pcm=recording.raw_pcm,
        listening_copy=recording.listening_copy,
        transcript=compute_digest(text),
        lang=str(row.language),
    )
    submission = Submission(params, None)
    return submit(ALIGNMENT, submission, [], find_recording(row), transcript=text)


def compute_digest(transcript: str) -> str:
    """Return the SHA-256 of a transcript, in hexadecimal."""
    return hashlib.sha256(transcript.encode()).hexdigest()


def _read_text(row: Task) -> str:
    latest = results.get(row.uuid) or abort_not_found()
    segments = [segment for segment in json.loads(latest.result) if segment["text"].strip()]
    if not segments:
        reject({"identifier": ["The transcript has no text."]})
    return write_segments(segments)
