"""A process that cannot use the storage leaves the tasks to others for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.db import connection, tasks
from app.core.db.states import IN_PROGRESS, QUEUED
from app.core.settings import Cache, Settings, Workers
from tests.app.rows import queued, row
from tests.workers.clock import Clock
from workers.device.protocol import Failure, Outcome, Ready, Slot
from workers.supervisor.engine import Transport
from workers.supervisor.local_engine import LocalEngine
from workers.supervisor.loop import Supervisor
from workers.supervisor.process import DeviceProcess

PAUSE = 10.0
AWAY = Failure("storage_unavailable", "The storage is not available.", [], 1.0, {})


class Idle(Transport):
    """A process that is there and says nothing."""

    place = "process 1"
    is_alive = True

    def send(self, command: Any) -> None: ...

    def receive(self) -> list[Any]:
        return []

    def kill(self) -> None: ...

    def finish(self, seconds: float) -> None: ...

    def hang_up(self) -> None: ...

    def describe_end(self) -> str:
        return ""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Iterator[Supervisor]:
    opened = connection.connect(f"sqlite:///{tmp_path / 'records.db'}")
    settings = Settings(cache=Cache(path=tmp_path / "cache"), workers=Workers(retry_pause=PAUSE, tasks_per_device=1))
    yield Supervisor(settings, LocalEngine(settings, []), is_only_supervisor=True, clock=clock)
    opened.close()


def add_process(supervisor: Supervisor, clock: Clock, number: int) -> DeviceProcess:
    limits = supervisor._settings.workers
    process = DeviceProcess(Slot(number, "cpu", None, 1), limits, Idle(), False, clock)
    process._record(Ready())
    supervisor._pool.processes.append(process)
    return process


def end(supervisor: Supervisor, process: DeviceProcess, said: Any) -> None:
    (assignment,) = process.assignments.values()
    supervisor._end(process, assignment, said)


def test_process_without_the_storage_takes_nothing_until_others_could(supervisor: Supervisor, clock: Clock) -> None:
    first, second = queued(), queued()
    ill = add_process(supervisor, clock, 0)
    supervisor._serve_database()
    end(supervisor, ill, AWAY)
    supervisor._serve_database()
    assert [row(each).status for each in (first, second)] == [QUEUED, QUEUED] and not ill.assignments
    healthy = add_process(supervisor, clock, 1)
    supervisor._next_look = 0.0
    supervisor._serve_database()
    assert row(second).status == IN_PROGRESS and healthy.assignments and not ill.assignments
    tasks.Task.update(not_before=None).execute()
    clock.now += 1.9 * PAUSE
    supervisor._serve_database()
    assert not ill.assignments, "the pause of the task is over, and a healthy process may take it"
    clock.now += PAUSE
    supervisor._serve_database()
    assert {key.uuid for key in ill.assignments} == {first}


def test_log_names_a_process_without_the_storage_once(
    supervisor: Supervisor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "workers.supervisor.process")
    queued()
    process = add_process(supervisor, clock, 0)
    for said in (AWAY, AWAY, AWAY, Outcome("json", "[]", [], 1.0, {}), None):
        supervisor._next_look = 0.0
        supervisor._serve_database()
        if said is not None:
            end(supervisor, process, said)
            supervisor._settle_all()
        tasks.Task.update(not_before=None).execute()
        clock.now += 3 * PAUSE
    lines = [record.getMessage() for record in caplog.records if record.name == "workers.supervisor.process"]
    assert [line.startswith("cpu-0 cannot read or store") for line in lines] == [True, False]


def test_full_disk_beside_a_bucket_lets_the_process_rest(supervisor: Supervisor, clock: Clock) -> None:
    full = replace(AWAY, code="insufficient_storage")
    for url, rests in (("", False), ("s3://speech", True)):
        queued()
        process = add_process(supervisor, clock, 0)
        supervisor._settings = replace(supervisor._settings, storage=replace(supervisor._settings.storage, url=url))
        tasks.Task.update(not_before=None).execute()
        supervisor._dispatcher.dispatch()
        end(supervisor, process, full)
        assert process.is_resting == rests
        supervisor._pool.processes.clear()
