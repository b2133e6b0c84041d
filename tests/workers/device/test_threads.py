"""Calls run side by side: results in order, errors at their turn, nothing begun after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import torch

from workers.device.protocol import Slot
from workers.device.threads import (
    MOST_SIDE_BY_SIDE,
    count_window_cores,
    count_workers,
    map_side_by_side,
    use_threads,
)

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """The number of torch's threads, of the caller and of new threads, which must be the same afterwards."""
    torch.set_num_threads(torch.get_num_threads())  # tests before may have left another number for new threads
    before = count_threads()
    yield
    assert count_threads() == before


def count_threads() -> tuple[int, int]:
    with ThreadPoolExecutor(1) as pool:
        return torch.get_num_threads(), pool.submit(torch.get_num_threads).result()


def test_results_have_the_order_of_the_items() -> None:
    def late(item: int) -> int:
        time.sleep(0.02 * (item % 3 == 0))
        return 2 * item

    assert list(map_side_by_side(late, range(12), 4)) == [2 * item for item in range(12)]


@pytest.mark.parametrize(("available", "beside", "each"), [(2, 2, 1), (4, 4, 1), (7, 4, 1), (16, 4, 4)])
def test_threads_are_divided_among_the_calls(available: int, beside: int, each: int) -> None:
    meeting = threading.Barrier(beside)

    def meet(_: int) -> int:
        meeting.wait(PATIENCE)  # until so many calls run at the same time
        return torch.get_num_threads()

    assert list(map_side_by_side(meet, range(beside), available)) == [each] * beside
    assert beside <= MOST_SIDE_BY_SIDE


@pytest.mark.parametrize("available", [0, 1])
def test_one_thread_is_that_of_the_caller(available: int) -> None:
    def name(_: int) -> tuple[str, int]:
        return threading.current_thread().name, torch.get_num_threads()

    here = name(0)
    assert list(map_side_by_side(name, range(3), available)) == [here] * 3


def test_error_comes_at_its_turn_and_ends_the_rest() -> None:
    begun: list[int] = []

    def fail(item: int) -> int:
        begun.append(item)
        time.sleep(0.05)
        if item == 1:
            raise RuntimeError("broken")
        return item

    results = map_side_by_side(fail, range(40), 2)
    assert next(results) == 0
    with pytest.raises(RuntimeError, match="broken"):
        next(results)
    assert len(begun) < 10


def test_nothing_begins_after_the_end() -> None:
    begun: list[int] = []

    def note(item: int) -> int:
        begun.append(item)
        time.sleep(0.05)
        return item

    with pytest.raises(KeyError), closing(map_side_by_side(note, range(40), 2)) as results:
        assert next(results) == 0
        raise KeyError
    count = len(begun)
    time.sleep(0.2)
    assert len(begun) == count < 10


def test_tasks_at_once_keep_their_own_numbers_of_threads() -> None:
    """Each thread asks for another number while the others compute, and while new threads begin."""
    meeting = threading.Barrier(4)
    wrong: list[tuple[int, int]] = []

    def check(expected: int) -> None:
        found = torch.get_num_threads()
        if found != expected:
            wrong.append((expected, found))

    def compute(own: int) -> None:
        use_threads(own)
        meeting.wait(PATIENCE)
        available = 2 * own
        each = available // min(available, MOST_SIDE_BY_SIDE)
        for _ in range(30):
            for _ in map_side_by_side(lambda _: check(each), range(4), available):
                check(own)
            use_threads(own)
            check(own)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(compute, own) for own in (1, 2, 4, 8)]:
            done.result(PATIENCE)
    assert wrong == []
    use_threads(torch.get_num_threads())  # sets the common number as it was


def test_zero_threads_are_the_choice_of_torch() -> None:
    before = torch.get_num_threads()
    use_threads(0)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("threads", "workers", "cores"), [(0, 1, 1), (1, 1, 1), (2, 2, 1), (8, 8, 1), (20, 8, 2)])
def test_cores_are_divided_among_the_windows_that_are_decoded_side_by_side(
    threads: int, workers: int, cores: int
) -> None:
    assert count_workers(threads) == workers
    assert count_window_cores(Slot(0, "cpu", None, threads)) == cores


def test_window_on_a_gpu_takes_all_of_it() -> None:
    assert count_window_cores(Slot(0, "cuda", 0, 16)) == 1
