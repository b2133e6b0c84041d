"""What the first transcription needs is loaded first, in the order of use; a missing model stops nothing."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

from app.core.errors import SpeechError
from app.core.settings import Settings
from tests.workers.conftest import SLOT
from workers.device import preload
from workers.pipelines import MODULES


class Models:
    """Notes the models that are asked for; ``missing`` are not there."""

    def __init__(self, missing: tuple[str, ...] = ()) -> None:
        self.asked: list[str] = []
        self._missing = missing

    def whisper(self, name: str, compute_type: str) -> None:
        self._ask("whisper", name)

    def aligner(self, language: str) -> None:
        self._ask("align", language)

    def separator(self, name: str) -> None:
        self._ask("separate", name)

    def _ask(self, kind: str, name: str) -> None:
        self.asked.append(f"{kind} {name}")
        if kind in self._missing:
            raise SpeechError("model_not_available", "missing")


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(preload, "import_library", names.append)
    return names


def settings(mini: Settings, offload: bool = False) -> Settings:
    whisper = dataclasses.replace(mini.whisper, enable_offload=offload)
    separation = dataclasses.replace(mini.bgm_separation, enable_offload=offload)
    return dataclasses.replace(mini, whisper=whisper, bgm_separation=separation)


@pytest.mark.parametrize("missing", [(), ("whisper", "align", "separate")])
def test_models_are_loaded_in_the_order_of_use(mini: Settings, imported: list[str], missing: tuple[str, ...]) -> None:
    models: Any = Models(missing)
    preload.load_first(models, SLOT, settings(mini))
    assert models.asked == ["whisper mini"] and imported == []
    preload.load_others(models, settings(mini))
    assert models.asked[1:] == ["align en", "align de", "separate mini"]


def test_libraries_are_imported_although_models_are_loaded_for_each_task(mini: Settings, imported: list[str]) -> None:
    models: Any = Models()
    preload.load_first(models, SLOT, settings(mini, offload=True))
    assert all(f"workers.pipelines.{name}" in sys.modules for name in MODULES.values())
    preload.load_others(models, settings(mini, offload=True))
    assert models.asked == [] and imported == [preload.SENTENCE_LIBRARY, preload.ALIGNMENT_LIBRARY]
