"""The pipelines run the stages that the estimates expect, and end each at the same progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core import settings
from app.core.params import PARAMS
from app.core.work import plan_steps
from tests import recordings
from tests.service import SAMPLE
from tests.workers.conftest import SLOT
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.pipelines import load_pipeline

MODEL = {"model_size": "mini", "compute_type": "int8", "enable_offload": False}


@pytest.mark.parametrize(
    ("task_type", "asked"),
    [
        ("transcription", {"is_diarize": True, "is_separate_bgm": True}),
        ("transcription", {"word_timestamps": False}),
        ("vad", {}),
        ("bgm-separation", {}),
        ("detect_language", {}),
        ("alignment", {}),
    ],
)
def test_pipeline_runs_the_planned_stages(
    mini: settings.Settings,
    models: WarmModels,
    parameters: Callable[..., Any],
    tmp_path: Path,
    task_type: str,
    asked: dict[str, Any],
) -> None:
    given = {
        "transcription": lambda: parameters(**asked),
        "vad": PARAMS["vad"],
        "bgm-separation": lambda: PARAMS["bgm-separation"](uvr_model_size="mini", enable_offload=False),
        "detect_language": lambda: PARAMS["detect_language"](**MODEL),
        "alignment": lambda: PARAMS["alignment"](transcript="", lang="en"),
    }
    recording = recordings.wav(tmp_path / "short.wav", recordings.speech(SAMPLE))
    (mini.cache.path / "planned").mkdir(parents=True, exist_ok=True)
    job = Job("planned", 1, task_type, given[task_type](), [], str(recording), transcript='"hello"')
    run = Run(job, SLOT, mini, models, lambda progress: None)
    entered: list[tuple[str, float]] = []
    enter = run.enter

    def watch(stage: Any, until: float) -> None:
        entered.append((stage, pytest.approx(until)))
        enter(stage, until)

    run.enter = watch  # type: ignore[method-assign]
    load_pipeline(task_type).run(run)
    assert entered == [(step.stage, step.until) for step in plan_steps(job.params)]
    assert list(run.stage_clock.read()) == [stage for stage, _ in entered]
