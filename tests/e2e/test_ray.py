"""The service on a Ray cluster: its actors run tasks, and another supervisor takes over from a killed one."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from tests.postgres import Postgres
from tests.ray_nodes import ray_head
from tests.service import SAMPLE, Service, until, write_config

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("ray")
    with ray_head(folder / "ray.log") as address:
        sections = {"workers": {"engine": "ray", "device": "cpu", "retry_pause": 0.2}, "ray": {"address": address}}
        config = write_config(folder, **sections)
        service = Service(folder, config=config, db_url=postgres.database("ray"))
        try:
            yield service.start()
        finally:
            service.stop()


def actors(service: Service, log: str) -> list[psutil.Process]:
    """The device processes that have become ready, by the log of their supervisor."""
    ready = re.findall(r"cpu-0 ready after .* s \(.*, process (\d+)\)", service.log(log))
    return [psutil.Process(int(pid)) for pid in ready if psutil.pid_exists(int(pid))]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_killed_actor_is_replaced_and_its_task_runs_again(service: Service) -> None:
    first = service.finished(service.submit(lang="en"))
    assert (first["status"], first["attempt"]) == ("COMPLETED", 1) and first["result"]
    (actor,) = actors(service, "worker.log")
    assert service.device_processes() == [], "the supervisor has no process of its own"
    identifier = service.submit(SAMPLE, lang="en", beam_size="10")
    until(lambda: service.task(identifier)["stage"], "it runs", every=0.005)
    actor.kill()
    second = service.finished(identifier)
    assert (second["status"], second["attempt"]) == ("COMPLETED", 2)
    assert [segment["text"] for segment in second["result"]] == [segment["text"] for segment in first["result"]]


def test_another_supervisor_leads_when_the_leader_is_killed(service: Service) -> None:
    leader = service.worker
    assert leader is not None
    service.finished(service.submit(lang="en"))
    standby = service._start("workers", log="standby.log")
    until(lambda: "another supervisor leads" in service.log("standby.log"), "the second one waits")
    *_, actor = actors(service, "worker.log")
    leader.send_signal(signal.SIGKILL)
    leader.wait(10)
    service.worker = standby
    until(lambda: is_gone(actor), "the actor ends with its supervisor", 10.0)
    assert service.finished(service.submit(lang="en"))["status"] == "COMPLETED"
    assert len(actors(service, "standby.log")) == 1
    assert isinstance(standby, subprocess.Popen) and standby.poll() is None


def test_stopped_leader_gives_its_task_to_the_standby_at_no_cost(service: Service) -> None:
    leader = service.worker
    assert leader is not None
    standby = service._start("workers", log="second-standby.log")
    until(lambda: "another supervisor leads" in service.log("second-standby.log"), "the second one waits")
    identifier = service.submit(SAMPLE, lang="en", beam_size="10")
    until(lambda: service.task(identifier)["stage"], "it runs", every=0.005)
    leader.send_signal(signal.SIGTERM)
    assert leader.wait(20) == 0
    service.worker = standby
    task = service.finished(identifier)
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)


def test_standby_ends_at_a_signal(service: Service) -> None:
    standby = service._start("workers", log="third-standby.log")
    until(lambda: "another supervisor leads" in service.log("third-standby.log"), "it waits")
    standby.send_signal(signal.SIGTERM)
    assert standby.wait(10) == 0
