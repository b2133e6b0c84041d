"""POST /vad: queue a voice activity detection."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.core.db.states import VAD
from app.core.params import VadParams
from app.openapi import document_submission
from app.schemas.vad import VadTaskParameters
from app.submission.kinds import prepare_vad
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Vad", __name__, description="Voice activity: when a recording has speech.")


@blueprint.route("/vad", methods=["POST"])
@document_submission(blueprint, VadTaskParameters)
def detect(submission: Submission[VadParams]) -> ResponseReturnValue:
    """Find the speech in a recording."""
    params, warnings = prepare_vad(submission.params)
    return submit(VAD, replace(submission, params=params), warnings)
