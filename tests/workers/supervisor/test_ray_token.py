"""A cluster with a token serves only those that have it, and says so to the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ray_nodes import ray_head
from tests.service import ROOT, until, write_config

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

TOKEN = "0123456789abcdef0123456789abcdef"
ONE_TRY = {"RAY_gcs_server_port_wait_time_s": "1"}  # Ray tries for 20 s to be let in


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        log = tmp_path_factory.mktemp("ray") / "log"
        with ray_head(log) as address:
            until(lambda: "Ray runtime started" in log.read_text(), "the head has started")
            yield address


def check(address: str, folder: Path, **variables: str) -> str:
    """Run the check in a process that has no other token. It connects to Ray as the supervisor does."""
    config = write_config(folder, workers={"engine": "ray", "device": "cpu"}, ray={"address": address})
    outside = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = {**outside, **ONE_TRY, **variables, "CONFIG": str(config), "HOME": str(folder)}
    command = [sys.executable, "-m", "workers.models", "check"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120).stdout


def test_supervisor_with_the_token_sees_the_devices(address: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    said = check(address, tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
    assert "0 GPUs and 1 CPU slots on 1 nodes" in said


@pytest.mark.parametrize(
    ("variables", "cause"),
    [
        ({}, "its token is missing or wrong"),
        ({"RAY_AUTH_MODE": "token"}, "no authentication token was found"),
    ],
    ids=["nothing", "mode only"],
)
def test_supervisor_without_the_token_is_refused_with_its_variables(
    address: str, tmp_path: Path, variables: dict[str, str], cause: str
) -> None:
    said = check(address, tmp_path, **variables)
    (line,) = [line for line in said.splitlines() if line.startswith("FAIL  ray")]
    assert cause in line and "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH or RAY_AUTH_TOKEN" in line
