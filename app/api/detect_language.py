"""POST /detect-language: queue a language detection, which passes the tasks that take longer."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.core.db.states import DETECT_LANGUAGE
from app.core.db.tasks import FAST_LANE
from app.core.params import DetectLanguageParams
from app.openapi import document_submission
from app.schemas.detect_language import DetectLanguageParameters, describe_ignored
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Detect language", __name__, description="Which language a recording is in.")


@blueprint.route("/detect-language", methods=["POST"])
@document_submission(blueprint, DetectLanguageParameters)
def detect(submission: Submission[DetectLanguageParams]) -> ResponseReturnValue:
    """Detect the language of a recording from its first speech."""
    return submit(DETECT_LANGUAGE, submission, describe_ignored(submission.params), lane=FAST_LANE)
