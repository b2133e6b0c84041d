"""A task ends with its client, but not too early."""

from __future__ import annotations

import pytest

from app.core.db import tasks, waiters
from app.core.db.tasks import Task
from tests.app.rows import claimed, queued, row
from workers.supervisor.waiters import GRACE_SECONDS, WaiterWatch


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def look(watch: WaiterWatch, clock: Clock, seconds: float, renew: str | None = None) -> list[str]:
    """Look every five seconds, as the supervisor does."""
    cancelled: list[str] = []
    for _ in range(int(seconds / 5)):
        cancelled += watch.cancel_abandoned()
        clock.now += 5
        if renew:
            waiters.renew(renew)
    return cancelled


@pytest.fixture
def clock() -> Clock:
    return Clock()


def waited(running: bool) -> str:
    identifier = queued()
    Task.update(waited_at=5.0).where(Task.uuid == identifier).execute()
    if running:
        claimed()
    return identifier


@pytest.mark.usefixtures("open_database")
@pytest.mark.parametrize("running", [False, True])
def test_task_whose_client_has_gone_is_cancelled_after_the_grace_period(clock: Clock, running: bool) -> None:
    identifier, watch = waited(running), WaiterWatch(clock)
    assert look(watch, clock, GRACE_SECONDS) == []
    assert look(watch, clock, 15) == [identifier]
    assert row(identifier).status == "CANCELLED"


@pytest.mark.usefixtures("open_database")
def test_waiting_client_keeps_its_task(clock: Clock) -> None:
    identifier = waited(running=True)
    assert look(WaiterWatch(clock), clock, 300, renew=identifier) == []
    assert row(identifier).status == "IN_PROGRESS"


@pytest.mark.usefixtures("open_database")
def test_task_without_a_waiting_client_is_never_cancelled(clock: Clock) -> None:
    identifier = queued()
    assert look(WaiterWatch(clock), clock, 300) == []
    assert row(identifier).status == "QUEUED"


@pytest.mark.usefixtures("open_database")
def test_client_that_comes_back_at_the_last_moment_keeps_its_task(clock: Clock) -> None:
    identifier = waited(running=False)
    before = waiters.list_all()[0].waited_at
    waiters.renew(identifier)
    assert not tasks.cancel(identifier, unless_waited_since=before)
    assert row(identifier).status == "QUEUED"


@pytest.mark.usefixtures("open_database")
def test_database_clock_that_jumps_cancels_nothing(clock: Clock) -> None:
    identifier, watch = waited(running=False), WaiterWatch(clock)
    look(watch, clock, 20)
    Task.update(waited_at=5.0 + 86400).where(Task.uuid == identifier).execute()  # renewed, by a clock a day ahead
    assert look(watch, clock, GRACE_SECONDS) == []
