"""The configuration of benchmarks with real weights loads in this version and in older ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.settings import load
from bench import base


def test_benchmark_settings_that_a_version_lacks_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "fetch_base", lambda: tmp_path)
    config = base.write_config(tmp_path, cpu_threads=3, setting_of_another_version=1)
    settings = load({"CONFIG": str(config)}, root=tmp_path)
    assert settings.workers.cpu_threads == 3
    assert settings.whisper.model_size == "base"
