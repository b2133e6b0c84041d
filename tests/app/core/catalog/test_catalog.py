"""Clients may choose configured models and folders under models/, nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.catalog.catalog import find_folder, separation_models, whisper_models
from app.core.settings import BgmSeparation, Models, Settings, Whisper


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for name in ("own", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").touch()
    (tmp_path / "align").mkdir()
    return tmp_path


def allowed(weights: Path, model_size: str, **models: str) -> dict[str, str]:
    return whisper_models(Settings(models=Models(weights), whisper=Whisper(model_size, models)))


def test_default_and_configured_models_are_listed(tmp_path: Path) -> None:
    assert allowed(tmp_path, "large-v3", fast="tiny") == {"large-v3": "large-v3", "fast": "tiny"}


def test_folders_with_weights_are_found_and_others_are_not(weights: Path) -> None:
    assert allowed(weights, "tiny") == {
        "tiny": "tiny",
        "own": str(weights / "own"),
        "second": str(weights / "second"),
    }


def test_folder_with_a_configured_name_is_listed_once(weights: Path) -> None:
    assert allowed(weights, "best", best="own") == {"best": "own", "second": str(weights / "second")}
    assert set(allowed(weights, "own")) == {"own", "second"}


def test_place_is_a_folder_or_a_hub_name(weights: Path) -> None:
    settings = replace(Settings(), models=Models(weights))
    assert find_folder("own", settings) == weights / "own"
    assert find_folder(str(weights / "second"), settings) == weights / "second"
    assert find_folder("Systran/faster-whisper-tiny", settings) is None


def test_separation_models_are_configured_ones_and_folders_with_weights(tmp_path: Path) -> None:
    for name in ("own", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "abc-12345678.th").touch()
    separation = BgmSeparation(model_size="htdemucs", models={"best": "own", "fast": "mdx_extra"})
    settings = Settings(models=Models(tmp_path), bgm_separation=separation)
    assert separation_models(settings) == {
        "htdemucs": "htdemucs",
        "best": "own",
        "fast": "mdx_extra",
        "mine": str(tmp_path / "mine"),
    }
