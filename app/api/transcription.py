"""POST /transcription: a recording in, a task out."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from app.core.db.states import TRANSCRIPTION
from app.current import get_defaults, get_settings
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
    warnings = without_effect(params, get_defaults())
    chosen, exchanged = substituted(params, get_settings())
    return submit(TRANSCRIPTION, chosen, warnings + (exchanged if params["is_separate_bgm"] else []))
