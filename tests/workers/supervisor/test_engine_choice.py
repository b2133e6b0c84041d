"""The engine is the one that the settings name; what it lacks is said at the start."""

from __future__ import annotations

import sys

import pytest

from app.core.errors import SettingsError
from app.core.settings import BgmSeparation, Settings, Workers
from tests.workers.supervisor import acting
from workers.supervisor.engine_choice import create_engine
from workers.supervisor.local_engine import LocalEngine


def test_processes_run_on_this_machine_by_default() -> None:
    engine = create_engine(Settings(workers=Workers(device="cpu", cpu_slots=2)), acting.serve)
    assert isinstance(engine, LocalEngine) and len(engine.list_slots()) == 2


def test_separation_on_a_missing_gpu_is_refused_at_the_start() -> None:
    settings = Settings(workers=Workers(device="cpu"), bgm_separation=BgmSeparation(device="cuda"))
    with pytest.raises(SettingsError, match=r"bgm_separation\.device is cuda"):
        create_engine(settings, acting.serve)


def test_missing_ray_package_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "ray" or ".ray_" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [WithoutRay(), *sys.meta_path])
    with pytest.raises(SettingsError, match=r"workers\.engine is ray, .* requirements-cluster\.txt"):
        create_engine(Settings(workers=Workers(engine="ray")), acting.serve)


class WithoutRay:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
