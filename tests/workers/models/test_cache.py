"""Models are found in their folders and kept loaded; an error says what to do about a missing one."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from app.core.catalog.catalog import Model
from app.core.errors import SpeechError
from app.core.settings import Settings, Whisper
from tests.service import MINI
from tests.workers.conftest import SLOT
from workers.models import fetch
from workers.models.cache import KEPT, WarmModels, choose_compute_type
from workers.models.errors import DownloadError


def missing(models: WarmModels, name: str) -> SpeechError:
    with pytest.raises(SpeechError) as caught:
        models.whisper(name, "int8")
    return caught.value


def allowing(mini: Settings, **models: str) -> Settings:
    return dataclasses.replace(mini, whisper=dataclasses.replace(mini.whisper, models=models))


def test_a_model_is_loaded_once(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    assert models.whisper("mini", "int8") is models.whisper("mini", "int8")
    assert models.aligner("en")[0] is models.aligner("en")[0]


def test_another_model_replaces_the_first(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    first = models.whisper("mini", "int8")
    models.whisper("mini", "float32")
    assert KEPT["whisper"] == 1
    assert models.whisper("mini", "int8") is not first


def test_freed_models_are_loaded_again(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    first = models.whisper("mini", "int8")
    models.free(*KEPT)
    assert models.whisper("mini", "int8") is not first


def test_missing_model_error_says_what_to_do(mini: Settings) -> None:
    settings = allowing(mini, tiny="tiny")
    error = missing(WarmModels(SLOT, settings), "tiny")
    assert error.code == "model_not_available"
    assert "'tiny'" in error.message and str(settings.models.path / "tiny") in error.message


def test_missing_model_is_used_as_soon_as_it_is_on_disk(
    mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def unreachable(model: Model, settings: Settings) -> Path:
        asked.append(model.name)
        raise DownloadError("no network")

    monkeypatch.setattr(fetch, "fetch", unreachable)
    settings = allowing(dataclasses.replace(mini, models=dataclasses.replace(mini.models, path=tmp_path)), tiny="tiny")
    now = [0.0]
    models = WarmModels(SLOT, settings, clock=lambda: now[0])
    for _ in range(3):
        assert "no network" in missing(models, "tiny").message
    assert asked == ["tiny"], "the network is not asked for each task"
    now[0] += fetch.FAILED_SECONDS
    missing(models, "tiny")
    assert asked == ["tiny"] * 2
    shutil.copytree(MINI / "whisper", tmp_path / "tiny")
    assert models.whisper("tiny", "int8").model.is_multilingual
    assert asked == ["tiny"] * 2


def test_unconfigured_model_is_never_looked_up(mini: Settings) -> None:
    for name in ("evil/repo", "/etc/passwd", "../x"):
        assert "is not allowed" in missing(WarmModels(SLOT, mini), name).message


def test_a_folder_under_models_is_a_model(mini: Settings, tmp_path: Path) -> None:
    shutil.copytree(MINI / "whisper", tmp_path / "mine")
    path = dataclasses.replace(mini.models, path=tmp_path)
    settings = dataclasses.replace(mini, models=path, whisper=Whisper(model_size="mine"))
    assert WarmModels(SLOT, settings).whisper("mine", "int8").model.is_multilingual


def test_broken_model_is_reported(mini: Settings, tmp_path: Path) -> None:
    shutil.copytree(MINI / "whisper", tmp_path / "broken")
    (tmp_path / "broken" / "model.bin").write_bytes(b"not a model")
    settings = allowing(mini, broken=str(tmp_path / "broken"))
    error = missing(WarmModels(SLOT, settings), "broken")
    assert error.code == "model_not_available" and "broken" in error.message


def test_language_without_an_aligner_is_reported(mini: Settings) -> None:
    with pytest.raises(SpeechError, match="'fr'") as caught:
        WarmModels(SLOT, mini).aligner("fr")
    assert caught.value.code == "model_not_available"


def test_compute_type_falls_back_to_a_supported_one() -> None:
    assert choose_compute_type("int8", "cpu") == "int8"
    assert choose_compute_type("default", "cpu") == "default"
    assert choose_compute_type("auto", "cpu") == "int8"
