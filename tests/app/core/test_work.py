"""The stages of a task follow from its parameters."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.work import Step, plan_steps, read_steps, write_steps

WHISPER = {"model_size": "base", "compute_type": "int8"}


@pytest.mark.parametrize(
    ("task_type", "params", "steps"),
    [
        ("transcription", {}, [("decode", "", 0.05), ("transcribe", "base int8", 0.8)]),
        (
            "transcription",
            {"word_timestamps": True},
            [("decode", "", 0.05), ("transcribe", "base int8", 0.8), ("align", "", 1.0)],
        ),
        (
            "transcription",
            {"word_timestamps": True, "is_translate": True},
            [("decode", "", 0.05), ("transcribe", "base int8", 0.8)],
        ),
        (
            "transcription",
            {"word_timestamps": True, "is_diarize": True, "is_separate_bgm": True, "uvr_model_size": "htdemucs"},
            [
                ("decode", "", 0.05),
                ("separate", "htdemucs", 0.3),
                ("transcribe", "base int8", 0.48),
                ("align", "", 0.6),
                ("diarize", "", 1.0),
            ],
        ),
        ("vad", {}, [("decode", "", 0.3), ("vad", "", 1.0)]),
        ("bgm-separation", {"uvr_model_size": "htdemucs"}, [("separate", "htdemucs", 1.0)]),
        ("detect_language", {}, [("decode", "", 0.7), ("detect", "base int8", 1.0)]),
        ("unknown", {}, []),
    ],
)
def test_stages_follow_from_the_parameters(task_type: str, params: dict[str, Any], steps: list[Any]) -> None:
    planned = plan_steps(task_type, WHISPER | params)
    assert planned == tuple(Step(*step) for step in steps)
    assert read_steps(write_steps(planned)) == planned
