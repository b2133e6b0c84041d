"""The stages that a task will run, with their models and their shares of its progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from app.core.db.states import ALIGNMENT, DETECT_LANGUAGE, TRANSCRIPTION, VAD
from app.core.params import (
    AlignmentParams,
    BgmSeparationParams,
    DetectLanguageParams,
    ModelOptions,
    Params,
    TranscriptionParams,
    VadParams,
)

# the progress of the task at the end of each stage
DECODED = {TRANSCRIPTION: 0.05, VAD: 0.3, DETECT_LANGUAGE: 0.7, ALIGNMENT: 0.2}
SEPARATED = 0.5
TRANSCRIBED = 0.8
UNDIARIZED = 0.6  # if diarization follows, the stages before it share this much


class Step(NamedTuple):
    """One stage; at its end, the progress of the task is ``until``. ``model`` is empty if the stage has no choice."""

    stage: str
    model: str
    until: float


def plan_steps(params: Params) -> tuple[Step, ...]:
    """List the stages of a task in order.

    A stage may turn out to have nothing to do, such as alignment without a model for the language.
    """
    match params:
        case TranscriptionParams():
            return tuple(_plan_transcription(params))
        case VadParams():
            return Step("decode", "", DECODED[VAD]), Step("vad", "", 1.0)
        case BgmSeparationParams():
            return (Step("separate", params.uvr_model_size, 1.0),)
        case DetectLanguageParams():
            return Step("decode", "", DECODED[DETECT_LANGUAGE]), Step("detect", _name_whisper(params), 1.0)
        case AlignmentParams():
            return Step("decode", "", DECODED[ALIGNMENT]), Step("align", "", 1.0)
    raise TypeError(f"Unknown parameters: {type(params).__name__}")


def _plan_transcription(params: TranscriptionParams) -> Iterator[Step]:
    share = UNDIARIZED if params.is_diarize else 1.0
    yield Step("decode", "", DECODED[TRANSCRIPTION])
    if params.is_separate_bgm:
        yield Step("separate", params.uvr_model_size, round(SEPARATED * share, 4))
    yield Step("transcribe", _name_whisper(params), round(TRANSCRIBED * share, 4))
    if params.word_timestamps and not params.is_translate:
        yield Step("align", "", share)
    if params.is_diarize:
        yield Step("diarize", "", 1.0)


def _name_whisper(params: ModelOptions) -> str:
    return f"{params.model_size} {params.compute_type}"


def write_steps(steps: tuple[Step, ...]) -> str:
    """Write the steps as JSON text, for the task's row."""
    return json.dumps(steps)


@lru_cache(maxsize=256)  # most tasks of a queue are alike
def read_steps(text: str) -> tuple[Step, ...]:
    """Read what ``write_steps`` wrote."""
    return tuple(Step(*step) for step in json.loads(text))


def measure_amount(task_type: str, audio_duration: float | None) -> float | None:
    """Return how much work a task is: its seconds of audio, None if unknown.

    It is 1 for a language detection, which decodes only the beginning of a recording.
    """
    return 1.0 if task_type == DETECT_LANGUAGE else audio_duration
