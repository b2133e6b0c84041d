"""A Ray cluster of three machines under faults: what is lost is seen in time, and each task ends once, with its result.

The times are those of docs/cluster.md, and half as much again; more on a machine whose cores are busy.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

from tests import recordings
from tests.conftest import require_weed, unavailable
from tests.machines.cluster import Cluster
from tests.machines.network import Network, find_obstacle
from tests.object_store import ObjectStoreServer
from tests.postgres import Postgres, find_postgres
from tests.service import SAMPLE, Service, promptly, until

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

PROCESS_SEEN, RAYLET_SEEN, CABLE_SEEN, LEASE_SEEN, HEAD_SEEN = 1.0, 3.0, 9.0, 30.0, 34.0
ACTORS_END = 9.0  # on other nodes, after their supervisor is cut off
RETURN_SEEN = 20.0  # TCP tries again after a pause about as long as the cut
AWAY_SECONDS = 60.0
REPEATS = 4  # of the sample: several seconds of work


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if obstacle := find_obstacle():
        pytest.skip(obstacle)
    programs, weed = find_postgres(), require_weed()
    if programs is None:
        unavailable("PostgreSQL is not installed (Debian: postgresql)")
    folder = tmp_path_factory.mktemp("machines")
    with (
        Network() as network,
        Postgres(programs, address=network.host) as postgres,
        ObjectStoreServer(weed, network.host) as store,
    ):
        cluster = Cluster(network, folder, postgres.database("machines"), store)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sound = np.concatenate([recordings.speech(SAMPLE)] * REPEATS)
    return recordings.encoded(tmp_path_factory.mktemp("long") / "long.flac", sound, "flac", "flac")


class Pair:
    """Two equal tasks, one on each node; ``web`` is where they are followed."""

    def __init__(self, cluster: Cluster, long: Path, web: Service) -> None:
        cluster.until_idle()
        self.cluster = cluster
        self.web = web
        self.recording = long
        self.identifiers = [web.submit(long, lang="en", reuse="false") for _ in range(2)]
        until(lambda: are_all_in(web, self.identifiers, {"transcribe", "align"}), "both run", every=0.1)

    def until_one_is_lost(self, within: float) -> None:
        """Wait until the end of one run is known. ``within``: seconds that this should take."""
        begun = time.monotonic()
        until(lambda: self.cluster.lost(self.identifiers), "a run is lost", every=0.02)
        taken = time.monotonic() - begun
        print(f"seen after {taken:.1f} s")
        assert taken < promptly(within, 1.5)

    def check(self, *attempts: list[int]) -> None:
        """Both end, with the same result and so many attempts, one of these; the recordings are there."""
        tasks = [self.web.finished(each) for each in self.identifiers]
        assert [task["status"] for task in tasks] == ["COMPLETED"] * 2, tasks
        assert sorted(task["attempt"] for task in tasks) in attempts
        texts = [[segment["text"] for segment in task["result"]] for task in tasks]
        assert texts[0] == texts[1] and len(texts[0]) >= REPEATS
        for identifier in self.identifiers:
            answer = requests.get(f"{self.web.url}/task/{identifier}/recording", timeout=60)
            assert answer.content == self.recording.read_bytes(), answer.text[:200]


def are_all_in(web: Service, identifiers: list[str], stages: set[str]) -> bool:
    tasks = [web.task(each) for each in identifiers]
    assert all(task["status"] in ("QUEUED", "IN_PROGRESS") for task in tasks), "they ended before the fault"
    return all(task["stage"] in stages for task in tasks)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_for_end(processes: list[psutil.Process], within: float) -> None:
    until(lambda: all(is_gone(each) for each in processes), f"the processes {processes} end", promptly(within, 1.5))


def test_killed_device_process_of_another_machine_costs_one_run(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    cluster.actor(other).kill()
    pair.until_one_is_lost(PROCESS_SEEN)
    pair.check([1, 2])


def test_killed_raylet_costs_one_run(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    actor = cluster.actor(other)
    (raylet,) = other.find("/raylet/raylet")
    raylet.kill()
    pair.until_one_is_lost(RAYLET_SEEN)
    wait_for_end([actor], 2.0)
    pair.check([1, 2])


def test_killed_machine_costs_one_run_and_joins_again(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    other.kill()
    pair.until_one_is_lost(RAYLET_SEEN)
    pair.check([1, 2])
    cluster.boot_again(other)
    cluster.until_idle()


def test_machine_that_is_cut_off_costs_one_run_and_its_late_result_is_discarded(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    actor = cluster.actor(other)
    other.pull_cable()
    pair.until_one_is_lost(CABLE_SEEN)
    assert not is_gone(actor), "the run goes on there"
    pair.check([1, 2])
    other.plug_cable()
    wait_for_end([actor], RETURN_SEEN)
    cluster.until_idle()
    pair.check([1, 2])


def test_standby_takes_the_tasks_of_a_killed_supervisor(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, other.web)
    actors = [cluster.actor(node) for node in cluster.nodes]
    (supervisor,) = leader.find("-m workers")
    leader.stop_restarting("-m workers")  # one of the same machine would know at once that its predecessor is dead
    supervisor.kill()
    wait_for_end(actors, 1.0)
    pair.until_one_is_lost(LEASE_SEEN)
    pair.check([2, 2])
    assert cluster.leader() is other
    cluster.start_supervisor(leader)


def test_standby_takes_the_tasks_of_a_supervisor_that_is_cut_off(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, other.web)
    actor = cluster.actor(other)
    (supervisor,) = leader.find("-m workers")
    leader.pull_cable()
    wait_for_end([actor], ACTORS_END)
    pair.until_one_is_lost(LEASE_SEEN)
    pair.check([2, 2])
    leader.plug_cable()
    wait_for_end([supervisor], RETURN_SEEN)
    cluster.until_idle()
    assert cluster.leader() is other
    pair.check([2, 2])


def test_head_that_comes_back_is_missed_only_by_new_processes(cluster: Cluster, long: Path) -> None:
    leader, other = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    supervisor = leader.find("-m workers")
    cluster.head.kill()
    cluster.actor(other).kill()
    pair.until_one_is_lost(PROCESS_SEEN)
    time.sleep(8.0)
    assert leader.name in cluster.devices(), "its loop goes on"
    cluster.head.boot()
    cluster.start_head()
    pair.check([1, 2])
    cluster.until_idle()  # the head has placed a new one
    assert leader.find("-m workers") == supervisor


def test_service_waits_for_a_head_that_is_away_for_long(cluster: Cluster, long: Path) -> None:
    leader, _ = cluster.leading()
    pair = Pair(cluster, long, leader.web)
    (supervisor,) = leader.find("-m workers")
    cluster.head.kill()
    until(lambda: is_gone(supervisor), "Ray ends the supervisor", promptly(HEAD_SEEN, 1.5))
    until(lambda: leader.find("-m workers"), "it is started again, and waits")
    waiting = leader.web.submit(SAMPLE, lang="en")
    assert leader.web.task(waiting)["status"] == "QUEUED"
    cluster.head.boot()
    cluster.start_head()
    assert leader.web.finished(waiting)["status"] == "COMPLETED"
    pair.check([1, 1], [1, 2], [2, 2])  # as far as they came in half a minute


def test_bucket_that_is_away_for_a_minute_loses_nothing(cluster: Cluster, long: Path) -> None:
    leader, _ = cluster.leading()
    web = leader.web
    cluster.until_idle()
    separated = [web.post("/bgm-separation", long).json()["identifier"] for _ in cluster.nodes]
    until(lambda: are_all_in(web, separated, {"separate"}), "both separate", every=0.1)
    waiting = web.submit(SAMPLE, lang="en")
    cluster.store.stop()
    away = time.monotonic()
    refused = web.post(recording=SAMPLE)
    assert refused.status_code == 503 and "storage" in refused.json()["message"]
    assert int(refused.headers["Retry-After"]) > 0
    time.sleep(AWAY_SECONDS - (time.monotonic() - away))
    assert {web.task(each)["status"] for each in [*separated, waiting]} <= {"QUEUED", "IN_PROGRESS"}
    cluster.store.start()
    tasks = [web.finished(each) for each in [*separated, waiting]]
    assert [(task["status"], task["attempt"]) for task in tasks] == [("COMPLETED", 1)] * 3
    for task in tasks[:2]:
        for file in task["result"]["files"]:
            stem = requests.get(f"{web.url}/task/{task['identifier']}/file/{file['name']}", timeout=60).content
            assert hashlib.sha256(stem).hexdigest() == file["sha256"]
