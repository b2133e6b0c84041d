"""POST /bgm-separation: queue a separation of vocals and background."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.core.db.states import BGM_SEPARATION
from app.core.params import BgmSeparationParams
from app.openapi import document_submission
from app.schemas.bgm_separation import BgmSeparationParameters
from app.submission.kinds import prepare_separation
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Bgm separation", __name__, description="Vocals and background, as files.")


@blueprint.route("/bgm-separation", methods=["POST"])
@document_submission(blueprint, BgmSeparationParameters)
def separate(submission: Submission[BgmSeparationParams]) -> ResponseReturnValue:
    """Separate the vocals of a recording from its background."""
    params, warnings = prepare_separation(submission.params)
    return submit(BGM_SEPARATION, replace(submission, params=params), warnings)
