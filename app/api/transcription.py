"""POST /transcription: queue a transcription."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.core.db.states import TRANSCRIPTION
from app.core.params import TranscriptionParams
from app.current import get_defaults, get_settings
from app.openapi import document_submission
from app.schemas.bgm_separation import replace_uvr_model
from app.schemas.effects import describe_ignored
from app.schemas.transcription import TranscriptionParameters
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Transcription", __name__, description="Speech to timed text.")


@blueprint.route("/transcription", methods=["POST"])
@document_submission(blueprint, TranscriptionParameters)
def transcribe(submission: Submission[TranscriptionParams]) -> ResponseReturnValue:
    """Transcribe a recording."""
    warnings = describe_ignored(submission.params, get_defaults())
    params, replaced = replace_uvr_model(submission.params, get_settings())
    if params.is_separate_bgm:
        warnings += replaced
    return submit(TRANSCRIPTION, replace(submission, params=params), warnings)
