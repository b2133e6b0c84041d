"""POST /vad: queue a voice activity detection."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.core.db.states import VAD
from app.core.params import VadParams
from app.openapi import document_submission
from app.schemas.vad import VadTaskParameters, describe_ignored
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Vad", __name__, description="Voice activity: when a recording has speech.")


@blueprint.route("/vad", methods=["POST"])
@document_submission(blueprint, VadTaskParameters)
def detect(submission: Submission[VadParams]) -> ResponseReturnValue:
    """Find the speech in a recording."""
    return submit(VAD, submission, describe_ignored(submission.params))
