"""The stages that a task will run, with their models and their shares of its progress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.core.db.states import BGM_SEPARATION, DETECT_LANGUAGE, TRANSCRIPTION, VAD

# the progress of the task at the end of each stage
DECODED = {TRANSCRIPTION: 0.05, VAD: 0.3, DETECT_LANGUAGE: 0.7}
SEPARATED = 0.5
TRANSCRIBED = 0.8
UNDIARIZED = 0.6  # if diarization follows, the stages before it share this much


class Step(NamedTuple):
    """One stage; at its end, the progress of the task is ``until``. ``model`` is empty if the stage has no choice."""

    stage: str
    model: str
    until: float


def plan_steps(task_type: str, params: Mapping[str, Any]) -> tuple[Step, ...]:
    """List the stages of a task in order, by its stored parameters; none for an unknown type.

    A stage may turn out to have nothing to do, such as alignment without a model for the language.
    """
    whisper = f"{params.get('model_size')} {params.get('compute_type')}"
    separator = str(params.get("uvr_model_size"))
    if task_type == TRANSCRIPTION:
        share = UNDIARIZED if params.get("is_diarize") else 1.0
        is_aligned = params.get("word_timestamps") and not params.get("is_translate")
        optional = (
            (True, Step("decode", "", DECODED[TRANSCRIPTION])),
            (params.get("is_separate_bgm"), Step("separate", separator, round(SEPARATED * share, 4))),
            (True, Step("transcribe", whisper, round(TRANSCRIBED * share, 4))),
            (is_aligned, Step("align", "", share)),
            (params.get("is_diarize"), Step("diarize", "", 1.0)),
        )
        return tuple(step for is_planned, step in optional if is_planned)
    steps = {
        VAD: (Step("decode", "", DECODED[VAD]), Step("vad", "", 1.0)),
        BGM_SEPARATION: (Step("separate", separator, 1.0),),
        DETECT_LANGUAGE: (Step("decode", "", DECODED[DETECT_LANGUAGE]), Step("detect", whisper, 1.0)),
    }
    return steps.get(task_type, ())


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
