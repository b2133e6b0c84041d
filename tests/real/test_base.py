"""Whisper base from PyPI is complete, listed with its source, and loads without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.catalog.catalog import PYPI, WHISPER, Found, Model, find
from app.core.settings import Settings
from tests.workers.conftest import SLOT, forbid_network
from workers.models import whisper_wheels
from workers.models.cache import WarmModels


def test_base_from_pypi_is_complete(base_model: Path, base_settings: Settings) -> None:
    wanted = {*whisper_wheels.WHEELS["base"].sha256, whisper_wheels.LICENSE, "pypi.json"}
    assert {path.name for path in base_model.iterdir()} == wanted
    assert "MIT License" in (base_model / whisper_wheels.LICENSE).read_text()
    found = find(Model(WHISPER, "base", "base"), base_settings)
    assert found == Found(base_settings.models.path / "base", PYPI)


def test_base_from_pypi_loads_without_a_network(base_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    model = WarmModels(SLOT, base_settings).whisper("base", "int8")
    assert model.model.is_multilingual and model.model.n_mels == 80
