"""Each kind of task has a pipeline, which declares the parameters it reads and the models it may load."""

from __future__ import annotations

import ast
import typing
from pathlib import Path
from typing import Any

import pytest

from app.core.db.states import STAGES, TASK_TYPES
from app.core.params import PARAMS, TranscriptionParams
from app.schemas.task import TaskAnswer
from tests.service import ROOT
from workers.device.run import Run
from workers.models.cache import KEPT
from workers.pipelines import MODULES, load_pipeline
from workers.stages import sequential

ENTERED_ELSEWHERE = {"download"}  # app/core/db/downloads.py


def entered(path: Path) -> set[str]:
    """The stages that a module names in ``run.enter(...)``."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    enters = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "enter"]
    return {ast.literal_eval(call.args[0]) for call in enters}


@pytest.mark.parametrize("kind", TASK_TYPES)
def test_pipeline_reads_the_parameters_of_its_kind(kind: str) -> None:
    pipeline: Any = load_pipeline(kind)
    assert pipeline.__name__ == f"workers.pipelines.{kind.replace('-', '_')}"
    assert typing.get_type_hints(pipeline.run)["run"] == Run[PARAMS[kind]]  # type: ignore[misc,valid-type]


def test_pipelines_declare_the_kinds_of_models_they_free() -> None:
    declared = {kind: set(load_pipeline(kind).MODEL_KINDS) for kind in MODULES}
    assert declared == {
        "transcription": set(KEPT),
        "vad": set(),
        "bgm-separation": {"separate"},
        "detect_language": {"whisper"},
        "alignment": {"align"},
    }


def test_freeing_no_kind_frees_nothing(models: Any) -> None:
    models.whisper("mini", "int8")
    models.free()
    assert models._kept["whisper"]


def test_documented_stages_are_those_that_tasks_enter() -> None:
    found = set().union(*(entered(path) for path in (ROOT / "workers" / "pipelines").glob("*.py")))
    assert found | ENTERED_ELSEWHERE == set(STAGES)
    description = TaskAnswer().fields["stage"].metadata["description"]
    assert all(stage in description for stage in STAGES)


def test_options_of_the_decoder_are_parameters() -> None:
    assert set(sequential.OPTIONS) <= set(TranscriptionParams.__dataclass_fields__)
