"""Inputs of several tasks are computed in one call; an error stays with its task."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.service import until
from workers.device.batcher import Batcher
from workers.device.turns import Share, StoppedError, Turns


class Bench:
    """A batcher whose calls are noted; ``ask`` runs a task in a thread."""

    def __init__(self) -> None:
        self.turns = Turns(1)
        self.batcher = Batcher(self.turns, time.monotonic)
        self.calls: list[list[Any]] = []
        self.results: dict[str, Any] = {}
        self._threads: list[threading.Thread] = []

    def double(self, given: list[int]) -> Sequence[int]:
        self.calls.append(given)
        if 13 in given:
            raise ValueError("13")
        return [2 * each for each in given]

    def ask(self, name: str, inputs: list[int], largest: int = 4, key: str = "model") -> Share:
        share = Share()

        def run() -> None:
            try:
                self.results[name] = self.batcher.compute(key, inputs, self.double, share, largest)
            except BaseException as error:  # noqa: BLE001 - also StoppedError
                self.results[name] = error

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
        until(lambda: share.waiting, "it waits", every=0.001)
        return share

    def while_busy(self, act: Callable[[], object]) -> None:
        """Run ``act`` while another task has the device, then wait for all."""
        with self.turns.take(Share()):
            act()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_inputs_that_wait_together_are_computed_in_one_call(bench: Bench) -> None:
    bench.while_busy(lambda: [bench.ask("a", [1]), bench.ask("b", [2]), bench.ask("c", [3])])
    assert bench.results == {"a": [2], "b": [4], "c": [6]}
    assert bench.calls == [[1, 2, 3]]


def test_batch_is_never_larger_than_any_of_its_tasks_wants(bench: Bench) -> None:
    bench.while_busy(lambda: [bench.ask("a", [1, 2], largest=2), bench.ask("b", [3, 4, 5], largest=3)])
    assert bench.results == {"a": [2, 4], "b": [6, 8, 10]}
    assert [len(call) for call in bench.calls] == [2, 3]


def test_more_inputs_than_fit_are_computed_in_several_calls_in_order(bench: Bench) -> None:
    assert bench.batcher.compute("model", list(range(10)), bench.double, Share(), 4) == list(range(0, 20, 2))
    assert [len(call) for call in bench.calls] == [4, 4, 2]


def test_different_calls_are_never_mixed(bench: Bench) -> None:
    bench.while_busy(lambda: [bench.ask("a", [1], key="base"), bench.ask("b", [2], key="large")])
    assert bench.calls == [[1], [2]] and bench.results == {"a": [2], "b": [4]}


def test_error_reaches_only_its_own_task(bench: Bench) -> None:
    bench.while_busy(lambda: [bench.ask("good", [1]), bench.ask("bad", [13]), bench.ask("other", [3])])
    assert bench.results["good"] == [2] and bench.results["other"] == [6]
    assert isinstance(bench.results["bad"], ValueError)
    assert not bench.batcher._waiting


def test_stopped_task_takes_its_inputs_away(bench: Bench) -> None:
    def ask() -> None:
        stopped = bench.ask("stopped", [1])
        bench.ask("other", [2])
        bench.turns.stop(stopped)

    bench.while_busy(ask)
    assert isinstance(bench.results["stopped"], StoppedError)
    assert bench.results["other"] == [4]


def test_time_of_a_call_is_shared_by_its_tasks(bench: Bench) -> None:
    shares: list[Share] = []

    def slow(given: list[int]) -> list[int]:
        time.sleep(0.2)
        return given

    bench.double = slow  # type: ignore[method-assign]
    bench.while_busy(lambda: shares.extend([bench.ask("a", [1]), bench.ask("b", [2])]))
    runner, rider = sorted((share.used for share in shares), reverse=True)
    assert rider > 0.09 and runner < 0.19


def test_empty_input_needs_no_turn(bench: Bench) -> None:
    with bench.turns.take(Share()):
        assert bench.batcher.compute("model", [], bench.double, Share(), 4) == []
