"""The stages of a task follow from its parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.params import BgmSeparationParams, DetectLanguageParams, Params, VadParams
from app.core.work import Step, plan_steps, read_steps, write_steps
from tests.app.rows import PARAMS

DETECTION = DetectLanguageParams(model_size="base", compute_type="auto", enable_offload=False)


@pytest.mark.parametrize(
    ("params", "steps"),
    [
        (PARAMS, [("decode", "", 0.05), ("transcribe", "mini int8", 0.8), ("align", "", 1.0)]),
        (replace(PARAMS, word_timestamps=False), [("decode", "", 0.05), ("transcribe", "mini int8", 0.8)]),
        (replace(PARAMS, is_translate=True), [("decode", "", 0.05), ("transcribe", "mini int8", 0.8)]),
        (
            replace(PARAMS, is_diarize=True, is_separate_bgm=True, uvr_model_size="htdemucs"),
            [
                ("decode", "", 0.05),
                ("separate", "htdemucs", 0.3),
                ("transcribe", "mini int8", 0.48),
                ("align", "", 0.6),
                ("diarize", "", 1.0),
            ],
        ),
        (VadParams(), [("decode", "", 0.3), ("vad", "", 1.0)]),
        (BgmSeparationParams(uvr_model_size="htdemucs", enable_offload=True), [("separate", "htdemucs", 1.0)]),
        (DETECTION, [("decode", "", 0.7), ("detect", "base auto", 1.0)]),
    ],
)
def test_stages_follow_from_the_parameters(params: Params, steps: list[Any]) -> None:
    planned = plan_steps(params)
    assert planned == tuple(Step(*step) for step in steps)
    assert read_steps(write_steps(planned)) == planned
