"""POST /bgm-separation: queue a separation of vocals and background."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.core.db.states import BGM_SEPARATION
from app.core.params import BgmSeparationParams
from app.current import get_settings
from app.openapi import document_submission
from app.schemas.bgm_separation import BgmSeparationParameters, describe_ignored, replace_uvr_model
from app.submission.native import submit
from app.submission.parser import Submission, SubmissionBlueprint

blueprint = SubmissionBlueprint("Bgm separation", __name__, description="Vocals and background, as files.")


@blueprint.route("/bgm-separation", methods=["POST"])
@document_submission(blueprint, BgmSeparationParameters)
def separate(submission: Submission[BgmSeparationParams]) -> ResponseReturnValue:
    """Separate the vocals of a recording from its background."""
    params, replaced = replace_uvr_model(submission.params, get_settings())
    warnings = [*describe_ignored(submission.params), *replaced]
    return submit(BGM_SEPARATION, replace(submission, params=params), warnings)
