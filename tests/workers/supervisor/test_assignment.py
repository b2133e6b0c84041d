"""The time limits of a run leave out what it waits for, and what loads."""

from __future__ import annotations

import pytest

from app.core.db.states import VAD
from app.core.db.tasks import Claim
from app.core.params import VadParams
from app.core.settings import Workers
from tests.workers.clock import Clock
from workers.device.protocol import Job, Loading, Progress
from workers.supervisor.assignment import (
    MOST_STOP_SECONDS,
    STOP_SECONDS,
    WAIT_SECONDS,
    Assignment,
    choose_patience,
)
from workers.supervisor.sharing import Running

LIMITS = Workers(task_timeout=60.0, load_timeout=30.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def assigned(clock: Clock, uuid: str = "u") -> Assignment:
    job = Job(uuid, 1, VAD, VadParams(), ["said before"], "", 600.0)
    return Assignment(Claim(uuid, 1, "s"), job, Running(longest=600.0), clock)


def test_run_that_takes_too_long_names_its_stage(clock: Clock) -> None:
    run = assigned(clock)
    run.record_progress(Progress("vad", 0.1))
    clock.now = 60.0
    assert run.check_limits(LIMITS) is None
    clock.now = 61.0
    failure = run.check_limits(LIMITS)
    assert failure is not None and (failure.code, failure.warnings) == ("timeout", ["said before"])
    assert "workers.task_timeout" in failure.message and "stage vad" in failure.message


def test_limit_grows_with_the_hours_of_the_recording(clock: Clock) -> None:
    run = assigned(clock)
    run.record_progress(Progress("vad", 0.1, {"audio_duration": 7200.0}))
    clock.now = 119.0
    assert run.check_limits(LIMITS) is None and run.running.is_long
    clock.now = 121.0
    assert run.check_limits(LIMITS) is not None


def test_waiting_for_others_does_not_count(clock: Clock) -> None:
    run = assigned(clock)
    clock.now = 100.0
    run.record_wait(50.0, waits=True)
    clock.now = 105.0
    assert run.check_limits(LIMITS) is None
    clock.now = 100.0 + WAIT_SECONDS + 1
    run.record_wait(51.0, waits=False)
    assert run.check_limits(LIMITS) is None
    clock.now += 10.0
    assert run.check_limits(LIMITS) is not None


def test_run_is_not_assumed_to_wait_for_ever_in_a_silent_process(clock: Clock) -> None:
    run = assigned(clock)
    run.record_wait(0.0, waits=True)
    clock.now = 60.0 + WAIT_SECONDS + 1
    assert run.check_limits(LIMITS) is not None


def test_loading_a_model_has_a_limit_of_its_own(clock: Clock) -> None:
    run = assigned(clock)
    run.record_load(Loading("whisper base"))
    clock.now = 29.0
    assert run.check_limits(LIMITS) is None
    run.record_load(Loading(None))
    clock.now = 88.0
    assert run.check_limits(LIMITS) is None, "29 s of loading are left out"
    run.record_load(Loading("align en"))
    clock.now = 119.0
    failure = run.check_limits(LIMITS)
    assert failure is not None and failure.code == "model_not_available" and "align en" in failure.message


def test_stopped_run_has_as_long_to_end_as_its_neighbours_would_lose(clock: Clock) -> None:
    old = assigned(clock, "old")
    clock.now = 1000.0
    young = assigned(clock, "young")
    assert choose_patience(old, [old]) == STOP_SECONDS
    clock.now = 1010.0
    assert choose_patience(old, [old, young]) == 10.0
    assert choose_patience(young, [old, young]) == MOST_STOP_SECONDS
