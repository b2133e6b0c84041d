"""POST /vad: a recording in, a task that finds its speech out."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from app.core.db.states import VAD
from app.openapi import documented_submission
from app.schemas.vad import VadTaskParameters, without_effect
from app.submission.accept import SubmissionBlueprint, submit

blueprint = SubmissionBlueprint("Vad", __name__, description="Voice activity: where in a recording somebody speaks.")


@blueprint.route("/vad", methods=["POST"])
@documented_submission(blueprint, VadTaskParameters)
def detect(params: dict[str, Any]) -> ResponseReturnValue:
    """Find the speech in a recording."""
    return submit(VAD, params, [*without_effect(params)])
