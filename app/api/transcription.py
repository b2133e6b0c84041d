"""POST /transcription: queue a transcription."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.core.db.states import TRANSCRIPTION
from app.core.params import TranscriptionParams
from app.openapi import document_submission
from app.schemas.transcription import TranscriptionParameters
from app.submission.kinds import prepare_transcription
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Transcription", __name__, description="Speech to timed text.")


@blueprint.route("/transcription", methods=["POST"])
@document_submission(blueprint, TranscriptionParameters)
def transcribe(submission: Submission[TranscriptionParams]) -> ResponseReturnValue:
    """Transcribe a recording."""
    params, warnings = prepare_transcription(submission.params)
    return submit(TRANSCRIPTION, replace(submission, params=params), warnings)
