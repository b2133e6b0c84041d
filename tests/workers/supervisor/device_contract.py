"""What the device processes of every engine do: one class of tests for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.db.tasks import Claim
from app.core.settings import Workers
from tests.service import until
from tests.workers.clock import Clock
from tests.workers.supervisor.acting import COMPLETE, DIE, GO_ON, HANG, LARGE, LARGE_RESULT, make_job
from workers.device.protocol import Ended, Message, Outcome, Progress, Resident, RunKey, Said
from workers.supervisor.assignment import Assignment
from workers.supervisor.engine import Engine
from workers.supervisor.process import DeviceProcess
from workers.supervisor.sharing import Running

LIMITS = Workers(task_timeout=60.0, load_timeout=30.0, max_rss=100)


class DeviceContract:
    """The tests; a subclass has the fixture ``engine``, whose processes run ``acting.serve_slot`` on one slot."""

    seen_within = 2.0  # seconds until a death is seen

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def start(self, engine: Engine, clock: Clock) -> Iterator[Callable[[], DeviceProcess]]:
        """Start a process and wait until it is ready; it is killed after the test."""
        started = []

        def start() -> DeviceProcess:
            (slot,) = engine.list_slots()
            started.append(DeviceProcess(slot, LIMITS, engine.start(slot, False), False, clock))
            read(engine, started[-1], lambda said: started[-1].warm)
            return started[-1]

        yield start
        for process in started:
            process.kill()

    @pytest.fixture
    def process(self, start: Callable[[], DeviceProcess]) -> DeviceProcess:
        return start()

    def test_process_gets_ready_and_says_where_it_runs(self, process: DeviceProcess) -> None:
        assert (process.state, process.is_idle, process.check_load()) == ("idle", True, None)
        assert "process " in process.transport.place

    def test_progress_and_result_arrive_in_order(self, engine: Engine, process: DeviceProcess) -> None:
        run = assign(process, "a", COMPLETE)
        assert process.state == "busy"
        said = read(engine, process, lambda said: len(said) == 3)
        assert [type(inside(message)) for message in said] == [Progress, Resident, Outcome]
        assert (run.has_begun, run.stage, run.unwritten.is_urgent) == (True, "vad", True)
        assert process.find_excess_memory() == 123, "more than workers.max_rss"
        process.release(run)
        assert process.is_idle

    def test_result_of_many_megabytes_arrives_whole(self, engine: Engine, process: DeviceProcess) -> None:
        assign(process, "a", LARGE)
        said = read(engine, process, lambda said: isinstance(inside(said[-1]), Outcome) if said else False)
        outcome = inside(said[-1])
        assert isinstance(outcome, Outcome) and outcome.result == LARGE_RESULT

    def test_run_is_stopped_and_its_neighbour_goes_on(self, engine: Engine, process: DeviceProcess) -> None:
        stopped, other = assign(process, "a", GO_ON), assign(process, "b", GO_ON)
        read(engine, process, lambda said: len(said) == 2)
        process.stop_run(stopped, None)
        (said,) = read(engine, process, lambda said: len(said) == 1)
        assert said == Said(RunKey("a", 1), Ended())
        process.release(stopped)
        assert process.is_alive and list(process.assignments.values()) == [other]

    def test_death_is_seen_soon_and_takes_no_message_with_it(self, engine: Engine, process: DeviceProcess) -> None:
        run = assign(process, "a", GO_ON)
        engine.wait(5.0)
        time.sleep(0.5)  # it has said something that is not read yet
        assign(process, "b", DIE)
        begun = time.monotonic()
        while process.is_alive:
            engine.wait(5.0)
            assert time.monotonic() - begun < self.seen_within
        said = process.read_messages()
        assert isinstance(inside(said[0]), Progress) and run.has_begun
        assert process.transport.describe_end() and not process.transport.has_lost_node
        assign(process, "c", COMPLETE)  # nothing is raised: the supervisor sees the death next
        process.transport.hang_up()

    def test_native_call_that_hangs_is_killed(self, engine: Engine, process: DeviceProcess, clock: Clock) -> None:
        assign(process, "a", GO_ON)
        read(engine, process, lambda said: len(said) == 1)
        hanging = assign(process, "b", HANG)
        time.sleep(0.5)
        clock.now += LIMITS.task_timeout + 1.0
        ((_, failure), (overdue, _)) = process.find_overdue()
        assert (overdue, failure.code) == (hanging, "timeout")
        process.stop_run(hanging, failure)
        clock.now += 300.0
        assert process.has_hung()
        begun = time.monotonic()
        process.kill()
        assert not process.is_alive and time.monotonic() - begun < 5.0

    def test_killed_process_makes_room_for_the_next_one(
        self, start: Callable[[], DeviceProcess], engine: Engine
    ) -> None:
        first = start()
        first.kill()
        second = start()
        assert second.transport.place != first.transport.place
        assign(second, "a", COMPLETE)
        read(engine, second, lambda said: len(said) == 3)

    def test_idle_process_exits_when_the_supervisor_hangs_up(self, process: DeviceProcess) -> None:
        process.transport.hang_up()
        process.transport.finish(10.0)
        assert not process.is_alive

    def test_wait_ends_with_a_message_and_after_its_time(self, engine: Engine, process: DeviceProcess) -> None:
        process.read_messages()
        begun = time.monotonic()
        engine.wait(0.1)
        assert 0.05 < time.monotonic() - begun < 2.0
        assign(process, "a", COMPLETE)
        begun = time.monotonic()
        engine.wait(10.0)
        assert time.monotonic() - begun < 5.0


def assign(process: DeviceProcess, uuid: str, act: str) -> Assignment:
    run = Assignment(Claim(uuid, 1, "me"), make_job(uuid, act), Running(), process._clock)
    process.assign(run)
    return run


def inside(message: Message) -> Any:
    return message.message if isinstance(message, Said) else message


def read(engine: Engine, process: DeviceProcess, is_done: Callable[[list[Message]], bool]) -> list[Message]:
    """Read messages until they are all there."""
    said: list[Message] = []

    def go_on() -> bool:
        engine.wait(0.05)
        said.extend(process.read_messages())
        return is_done(said)

    until(go_on, "the process has said all", every=0.0)
    return said
