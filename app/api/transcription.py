"""POST /transcription: a recording in, a task out."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask.typing import ResponseReturnValue

from app.core.db.states import TRANSCRIPTION
from app.openapi import documented_submission
from app.schemas.bgm_separation import substituted
from app.schemas.effects import without_effect
from app.schemas.transcription import TranscriptionParameters
from app.submission.accept import SubmissionBlueprint, submit

blueprint = SubmissionBlueprint("Transcription", __name__, description="Speech to timed text.")


@blueprint.route("/transcription", methods=["POST"])
@documented_submission(blueprint, TranscriptionParameters)
def transcribe(params: dict[str, Any]) -> ResponseReturnValue:
    """Transcribe a recording."""
    speech = current_app.extensions["speech"]
    warnings = without_effect(params, speech.defaults)
    chosen, exchanged = substituted(params, speech.settings)
    return submit(TRANSCRIPTION, chosen, warnings + (exchanged if params["is_separate_bgm"] else []))
