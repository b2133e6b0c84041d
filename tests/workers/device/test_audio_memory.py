"""A run waits for memory that others hold, but never for itself."""

from __future__ import annotations

import threading

import pytest

from tests.service import until
from workers.device.audio_memory import MEBIBYTE, AudioMemory
from workers.device.turns import Share, StoppedError, Turns


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def memory(turns: Turns) -> AudioMemory:
    return AudioMemory(100, turns)


def test_run_waits_until_there_is_room(memory: AudioMemory, turns: Turns) -> None:
    first, second, got = Share(), Share(), threading.Event()

    def want() -> None:
        with memory.hold(second):
            memory.reserve(second, 60 * MEBIBYTE)
            got.set()

    with memory.hold(first):
        memory.reserve(first, 60 * MEBIBYTE)
        thread = threading.Thread(target=want, daemon=True)
        thread.start()
        until(lambda: turns.measure_wait(second)[1], "it waits")
        assert not got.is_set()
    assert got.wait(10)


def test_recording_larger_than_the_limit_runs_without_others(memory: AudioMemory) -> None:
    share = Share()
    with memory.hold(share):
        memory.reserve(share, 1000 * MEBIBYTE)


def test_stopped_run_waits_no_longer(memory: AudioMemory, turns: Turns) -> None:
    first, second = Share(), Share()
    memory.reserve(first, 100 * MEBIBYTE)
    turns.stop(second)
    with pytest.raises(StoppedError):
        memory.reserve(second, MEBIBYTE)


def test_real_size_replaces_the_declared_one(memory: AudioMemory) -> None:
    first, second = Share(), Share()
    memory.reserve(first, 0)
    memory.correct(first, 99 * MEBIBYTE)
    assert not memory._has_room(second, 2 * MEBIBYTE) and memory._has_room(second, MEBIBYTE)
