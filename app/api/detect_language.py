"""POST /detect-language: queue a language detection, which passes the tasks that take longer.

The path is also one of whisper-asr-webservice, whose clients name the recording ``audio_file``.
"""

from __future__ import annotations

from dataclasses import replace

from flask import request
from flask.typing import ResponseReturnValue

from app.api.asr import detection
from app.core.db.states import DETECT_LANGUAGE
from app.core.params import DetectLanguageParams
from app.openapi import document_submission
from app.schemas.detect_language import DetectLanguageParameters
from app.submission.kinds import KINDS, prepare_detection
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Detect language", __name__, description="Which language a recording is in.")


@blueprint.before_request
def answer_waiting_client() -> ResponseReturnValue | None:
    return detection.detect() if request.method == "POST" and detection.is_meant() else None


@blueprint.route(detection.PATH, methods=["POST"])
@document_submission(blueprint, DetectLanguageParameters)
def detect(submission: Submission[DetectLanguageParams]) -> ResponseReturnValue:
    """Detect the language of a recording from its first speech."""
    params, warnings = prepare_detection(submission.params)
    lane = KINDS[DETECT_LANGUAGE].lane
    return submit(DETECT_LANGUAGE, replace(submission, params=params), warnings, lane=lane)
