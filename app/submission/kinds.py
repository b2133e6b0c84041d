"""What each kind of task takes, and what it warns about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.db.states import BGM_SEPARATION, DETECT_LANGUAGE, TRANSCRIPTION, VAD
from app.core.db.tasks import FAST_LANE, USUAL_LANE
from app.core.params import BgmSeparationParams, DetectLanguageParams, Params, TranscriptionParams, VadParams
from app.current import get_defaults, get_settings
from app.schemas import bgm_separation, detect_language, effects, vad
from app.schemas.bgm_separation import BgmSeparationParameters, replace_uvr_model
from app.schemas.detect_language import DetectLanguageParameters
from app.schemas.parameters import Parameters
from app.schemas.transcription import TranscriptionParameters
from app.schemas.vad import VadTaskParameters


@dataclass(frozen=True)
class Kind:
    """The schema of a kind's parameters.

    ``prepare`` turns a client's parameters into those of the task, and lists its warnings. ``lane`` is its queue.
    """

    schema: type[Parameters]
    prepare: Callable[[Any], tuple[Params, list[str]]]
    lane: int = USUAL_LANE


def prepare_transcription(asked: TranscriptionParams) -> tuple[TranscriptionParams, list[str]]:
    warnings = effects.describe_ignored(asked, get_defaults())
    params, replaced = replace_uvr_model(asked, get_settings())
    return params, [*warnings, *(replaced if params.is_separate_bgm else ())]


def prepare_vad(asked: VadParams) -> tuple[VadParams, list[str]]:
    return asked, vad.describe_ignored(asked)


def prepare_separation(asked: BgmSeparationParams) -> tuple[BgmSeparationParams, list[str]]:
    params, replaced = replace_uvr_model(asked, get_settings())
    return params, [*bgm_separation.describe_ignored(asked), *replaced]


def prepare_detection(asked: DetectLanguageParams) -> tuple[DetectLanguageParams, list[str]]:
    return asked, detect_language.describe_ignored(asked)


KINDS = {
    TRANSCRIPTION: Kind(TranscriptionParameters, prepare_transcription),
    VAD: Kind(VadTaskParameters, prepare_vad),
    DETECT_LANGUAGE: Kind(DetectLanguageParameters, prepare_detection, FAST_LANE),
    BGM_SEPARATION: Kind(BgmSeparationParameters, prepare_separation),
}
