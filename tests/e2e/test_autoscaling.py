"""A Ray cluster without devices: its autoscaler starts nodes when tasks come, and removes them when none are left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.ray_nodes import ray_autoscaler
from tests.service import ROOT, Service, until, write_config

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

COUNT = "import json, ray, sys; ray.init(sys.argv[1]); print(json.dumps([node['Alive'] for node in ray.nodes()]))"


def count_nodes(address: str) -> int:
    """Count the nodes beside the head."""
    answer = subprocess.run(
        [sys.executable, "-c", COUNT, address], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    return sum(json.loads(answer.stdout.splitlines()[-1])) - 1


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
                assert {service.finished(identifier)["status"] for identifier in identifiers} == {"COMPLETED"}
                assert service.ready() and count_nodes(address) == 2, "ray.slots, not max_workers"
                until(lambda: count_nodes(address) == 0, "the nodes are removed", every=2.0)
                assert service.ready()
            assert service.log("worker.log").count("is given back: no task for 5 s") == 4
        finally:
            service.stop()
