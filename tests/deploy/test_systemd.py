"""The systemd units are valid and start the processes of the Procfile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import Server, Workers
from tests.deploy.conftest import HOME, tool
from tests.service import ROOT

UNITS = sorted((ROOT / "deploy").glob("*.service"))
OF_RAY = [unit for unit in UNITS if "ray" in unit.stem]
OURS = [unit for unit in UNITS if unit not in OF_RAY]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "Debian: systemd")
    here = unit.read_text().replace(f"{HOME}/.venv/bin", str(Path(sys.executable).parent)).replace(HOME, str(ROOT))
    (tmp_path / unit.name).write_text(here)
    if unit in OF_RAY:
        pytest.importorskip("ray", reason="systemd looks for the program (requirements-cluster.txt)")
    done = subprocess.run([analyze, "verify", str(tmp_path / unit.name)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_stops_wait_longer_than_the_service_needs() -> None:
    seconds = {unit.stem: int(re.findall(r"TimeoutStopSec=(\d+)", unit.read_text())[0]) for unit in OURS}
    assert seconds["speech-web"] > Server().graceful_timeout and seconds["speech-worker"] > Workers().drain_timeout


def test_units_start_the_commands_of_the_procfile() -> None:
    started = [re.search(r"ExecStart=\S+/bin/(.*)", unit.read_text()) for unit in OURS]
    procfile = [line.partition(": ")[2] for line in (ROOT / "Procfile").read_text().splitlines()]
    assert [found and found[1] for found in started] == procfile
