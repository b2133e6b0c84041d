"""A Ray cluster without devices: its autoscaler starts nodes when tasks come, and removes them when none are left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.ray_autoscaler import ray_autoscaler
from tests.service import ROOT, Service, until, write_config

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

COUNT = """
import ray, sys
ray.init(sys.argv[1], log_to_driver=False)
print(sum(node["Alive"] for node in ray.nodes()))
"""


def count_nodes(address: str) -> int:
    """Count the nodes beside the head."""
    command = [sys.executable, "-c", COUNT, address]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60).stdout) - 1


@pytest.mark.storm
def test_nodes_are_started_for_waiting_tasks_and_removed_without_any(tmp_path: Path, postgres: Postgres) -> None:
    with ray_autoscaler(tmp_path, most=3) as address:
        config = write_config(
            tmp_path,
            workers={"engine": "ray", "device": "cpu", "tasks_per_device": 1},
            ray={"address": address, "slots": 2, "idle_timeout": 5},
        )
        service = Service(tmp_path, config=config, db_url=postgres.database("autoscaling"))
        try:
            service.start()
            assert count_nodes(address) == 0, "ready, although no task needs a device yet"
            for _ in range(2):
                identifiers = [service.submit(lang="en", beam_size="10") for _ in range(4)]
                until(lambda: count_nodes(address) == 2, "two nodes are started", every=0.5)
                assert {service.finished(identifier)["status"] for identifier in identifiers} == {"COMPLETED"}
                assert service.ready()
                until(lambda: count_nodes(address) == 0, "the nodes are removed", every=2.0)
                assert service.ready(), "although no device is left"
            assert "cpu-2" not in service.log("worker.log"), "ray.slots is the limit, not that of the autoscaler"
        finally:
            service.stop()
