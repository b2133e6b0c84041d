"""What the first transcription needs is loaded first, in the order of use; a missing model stops nothing."""

from __future__ import annotations

import dataclasses
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.errors import SpeechError
from app.core.settings import Settings
from tests.workers.conftest import SLOT
from workers.device import main, preload
from workers.models import aligner
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
    monkeypatch.setattr(aligner, "import_library", lambda name, unneeded: names.append(name))
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
    assert models.asked == [] and imported == ["nltk.tokenize.punkt", "torchaudio"]


def test_process_whose_models_break_while_it_warms_up_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(models: Any, settings: Settings) -> None:
        raise OSError("the disk is broken")

    said: list[Any] = []
    ended: list[int] = []
    monkeypatch.setattr(main, "load_others", fail)
    monkeypatch.setattr(os, "_exit", ended.append)
    messenger: Any = SimpleNamespace(send=said.append)
    main._warm_up(messenger, Models(), Settings(), True)  # type: ignore[arg-type]
    assert (ended, said) == ([1], []), "it does not say that it is warm"
