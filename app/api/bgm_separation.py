"""POST /bgm-separation: a recording in, a task that parts voices from what is behind them out."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from app.core.db.states import BGM_SEPARATION
from app.current import get_settings
from app.openapi import documented_submission
from app.schemas.bgm_separation import BgmSeparationParameters, substituted, without_effect
from app.submission.accept import SubmissionBlueprint, submit

blueprint = SubmissionBlueprint("Bgm separation", __name__, description="Voices and what is behind them, as files.")


@blueprint.route("/bgm-separation", methods=["POST"])
@documented_submission(blueprint, BgmSeparationParameters)
def separate(params: dict[str, Any]) -> ResponseReturnValue:
    """Separate the vocals of a recording from its background."""
    chosen, warnings = substituted(params, get_settings())
    return submit(BGM_SEPARATION, chosen, [*without_effect(params), *warnings])
