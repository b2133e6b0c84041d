"""With an autoscaler, devices are requested while tasks wait, and given back when they have none."""

from __future__ import annotations

import pytest

from app.core.db import claims
from app.core.db.tasks import Claim
from app.core.settings import Ray, Settings, Workers
from tests.app.rows import queued
from tests.workers.clock import Clock
from tests.workers.supervisor.acting import COMPLETE, make_job
from tests.workers.supervisor.test_pool import Engine, states
from workers.device.protocol import Loading, Ready, Slot, Warm
from workers.supervisor.assignment import Assignment
from workers.supervisor.pool import Pool
from workers.supervisor.process import DeviceProcess
from workers.supervisor.scaling import Scaling
from workers.supervisor.sharing import Running

pytestmark = [
    pytest.mark.usefixtures("open_database"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

SETTINGS = Settings(workers=Workers(tasks_per_device=2), ray=Ray(slots=3, idle_timeout=60.0))


class Cluster:
    """A cluster of up to three devices, in which a test is the autoscaler, and the supervisor's part."""

    def __init__(self, is_elastic: bool = True) -> None:
        self.clock = Clock()
        self.engine = Engine()
        self.engine.is_elastic = is_elastic
        self.engine.slots = [Slot(number, "cuda", 0, 0) for number in range(3)]
        self.pool = Pool(SETTINGS, self.engine, self.clock)
        self._scaling = Scaling(SETTINGS, self.pool, self.engine)

    def adjust(self) -> list[str]:
        """Look for waiting tasks, and return the states of the devices."""
        self._scaling.adjust()
        self.pool.start_due()
        return sorted(states(self.pool))

    def place(self, number: int) -> DeviceProcess:
        """Give a device to the process that was started as ``number``."""
        self.engine.started[number].place = "node-a, process 7"
        self.engine.started[number].arrived = [Loading("a model")]
        (process,) = [each for each in self.pool.processes if each.transport is self.engine.started[number]]
        process.read_messages()
        return process

    def get_ready(self, number: int) -> DeviceProcess:
        process = self.place(number)
        self.engine.started[number].arrived = [Loading(None), Ready(), Warm()]
        process.read_messages()
        return process

    def claim(self, process: DeviceProcess) -> Assignment:
        """Claim a task for a process."""
        row = claims.claim("me")
        assert row is not None
        run = Assignment(Claim(row.uuid, 1, "me"), make_job(row.uuid, COMPLETE), Running(), self.clock)
        process.assignments[run.key] = run
        return run


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_no_device_is_requested_without_a_task(cluster: Cluster) -> None:
    assert cluster.adjust() == []
    assert str(cluster.pool) == "up to 3 devices of an autoscaler"


def test_first_task_requests_a_device_at_once(cluster: Cluster) -> None:
    queued()
    assert cluster.adjust() == ["requested"]
    assert cluster.adjust() == ["requested"], "one is enough"


def test_a_device_is_requested_for_as_many_tasks_as_it_takes(cluster: Cluster) -> None:
    requested = []
    for _ in range(8):
        queued()
        requested.append(len(cluster.adjust()))
    assert requested == [1, 1, 2, 2, 3, 3, 3, 3], "up to ray.slots"


def test_busy_devices_do_not_take_the_place_of_requested_ones(cluster: Cluster) -> None:
    queued()
    cluster.adjust()
    cluster.claim(cluster.get_ready(0))
    assert cluster.adjust() == ["busy"]
    queued()
    assert cluster.adjust() == ["busy", "requested"]


def test_request_is_withdrawn_when_no_task_waits(cluster: Cluster) -> None:
    for _ in range(3):
        queued()
    assert cluster.adjust() == ["requested", "requested"]
    process = cluster.get_ready(0)
    cluster.claim(process), cluster.claim(process)
    assert cluster.adjust() == ["busy", "requested"], "for the third task"
    cluster.claim(process)
    assert cluster.adjust() == ["busy"]
    assert not cluster.engine.started[1].is_alive


def test_device_that_loads_models_is_kept_until_it_has_been_idle(cluster: Cluster) -> None:
    queued()
    cluster.adjust()
    cluster.place(0)
    claims.claim("another supervisor")
    assert cluster.adjust() == ["starting"]
    cluster.clock.now += 1000.0
    cluster.get_ready(0)
    assert cluster.adjust() == ["idle"]
    cluster.clock.now += 61.0
    assert cluster.adjust() == []


def test_idle_device_is_given_back_after_its_time_and_requested_again(cluster: Cluster) -> None:
    queued()
    cluster.adjust()
    process = cluster.get_ready(0)
    run = cluster.claim(process)
    cluster.clock.now += 1000.0
    assert cluster.adjust() == ["busy"]
    process.release(run)
    cluster.clock.now += 59.0
    assert cluster.adjust() == ["idle"]
    cluster.clock.now += 2.0
    assert cluster.adjust() == []
    assert not cluster.engine.started[0].is_alive and cluster.pool.processes == []
    queued()
    assert cluster.adjust() == ["requested"]
    assert [process.name for process in cluster.pool.processes] == ["cuda-0"]


def test_failed_start_is_tried_again_with_its_pause_while_a_task_waits(cluster: Cluster) -> None:
    queued()
    cluster.adjust()
    cluster.pool.remove_dead(cluster.place(0), "it has Ray 1, but the supervisor has Ray 2")
    assert cluster.adjust() == ["down"] and not cluster.pool.processes, "no other device is requested in its place"
    cluster.clock.now += 15.0
    assert cluster.adjust() == ["down"] and cluster.pool.processes
    cluster.pool.remove_dead(cluster.place(1), "it died")
    claims.claim("another supervisor")
    assert cluster.adjust() == [], "no task needs it any more"


def test_devices_that_are_there_are_used_without_an_autoscaler() -> None:
    cluster = Cluster(is_elastic=False)
    assert cluster.adjust() == ["waiting"] * 3
    for number in range(3):
        cluster.get_ready(number)
    cluster.clock.now += 1e6
    assert cluster.adjust() == ["idle"] * 3
