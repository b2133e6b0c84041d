"""The pool serves the slots that the engine lists, also those that join later, and says what each of them does."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.settings import Settings
from tests.workers.clock import Clock
from workers.device.protocol import Command, Loading, Message, Ready, Slot, Warm
from workers.supervisor.pool import Pool

FIRST, SECOND = Slot(0, "cuda", 0, 0), Slot(1, "cuda", 0, 0)


class Transport:
    """A process that a test places, kills and lets speak."""

    def __init__(self) -> None:
        self.place = ""
        self.has_lost_node = False
        self.is_alive = True
        self.arrived: list[Message] = []

    def send(self, command: Command) -> None:
        raise NotImplementedError

    def receive(self) -> list[Message]:
        arrived, self.arrived = self.arrived, []
        return arrived

    def hang_up(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        self.is_alive = False

    def finish(self, patience: float) -> None:
        assert not self.is_alive

    def describe_end(self) -> str:
        return "it has Ray 1, but the supervisor has Ray 2"


class Engine:
    is_elastic = False

    def __init__(self) -> None:
        self.slots = [FIRST]
        self.started: list[Transport] = []
        self.preloads: list[bool] = []

    def list_slots(self) -> list[Slot]:
        return self.slots

    def start(self, slot: Slot, preload: bool) -> Transport:
        self.preloads.append(preload)
        self.started.append(Transport())
        return self.started[-1]

    def wait(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(engine: Engine, clock: Clock) -> Pool:
    return Pool(Settings(), engine, clock)


def states(pool: Pool) -> list[Any]:
    return [device["state"] for device in pool.describe_devices()]


def test_process_that_waits_for_a_device_is_not_overdue(pool: Pool, engine: Engine, clock: Clock) -> None:
    pool.start_due()
    (process,) = pool.processes
    assert pool.describe_devices() == [
        {"device": "cuda-0", "place": "", "state": "waiting", "cause": "no device is free"}
    ]
    clock.now += 1e6
    assert process.check_load() is None
    engine.started[0].place = "node-a, process 7"
    engine.started[0].arrived = [Loading("the speech libraries")]
    process.read_messages()
    assert pool.describe_devices() == [{"device": "cuda-0", "place": "node-a, process 7", "state": "starting"}]
    clock.now += 1e6
    failure = process.check_load()
    assert failure is not None and "workers.load_timeout" in failure.message
    engine.started[0].arrived = [Ready(), Warm()]
    process.read_messages()
    assert (states(pool), process.check_load()) == (["idle"], None)


def test_devices_that_join_later_are_served(pool: Pool, engine: Engine) -> None:
    pool.start_due()
    engine.slots = [FIRST, SECOND]
    pool.start_due()
    pool.start_due()
    assert [process.name for process in pool.processes] == ["cuda-0", "cuda-1"]


def test_refused_node_is_named_as_the_cause(pool: Pool) -> None:
    pool.start_due()
    (process,) = pool.processes
    pool.remove_dead(process, process.transport.describe_end())
    (described,) = pool.describe_devices()
    assert (described["state"], described["cause"]) == ("down", "it has Ray 1, but the supervisor has Ray 2")


@pytest.mark.parametrize(("place", "preloads"), [("node-a, process 7", [True, True, False]), ("", [True, True, True])])
def test_models_are_suspected_only_of_starts_on_a_device(
    pool: Pool, engine: Engine, clock: Clock, place: str, preloads: list[bool]
) -> None:
    """A node that dies takes those with it that wait for it."""
    for _ in range(3):
        pool.start_due()
        (process,) = pool.processes
        engine.started[-1].place = place
        pool.remove_dead(process, "it died")
        clock.now += 100.0
    assert engine.preloads == preloads
