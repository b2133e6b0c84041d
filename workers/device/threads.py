"""Divide the threads of a CPU among calls that run side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from workers.device.protocol import Slot

MOST_SIDE_BY_SIDE = 4  # each input takes memory: half a minute of audio, up to half a GB in a network of the usual size
MOST_WORKERS = 8  # each Whisper window takes memory for its beams

T = TypeVar("T")
R = TypeVar("R")


def count_workers(threads: int) -> int:
    """Return how many Whisper windows are decoded side by side on a CPU.

    Two windows on one core each take less than half of the time that they take one after the other on two cores.
    """
    return max(1, min(threads, MOST_WORKERS))


def count_window_cores(slot: Slot) -> int:
    """Return the cores of a turn in which one Whisper window is decoded."""
    return max(1, slot.threads // count_workers(slot.threads)) if slot.device == "cpu" else 1


def use_threads(count: int) -> None:
    """Let torch use ``count`` threads for what this thread computes; with 0, torch chooses.

    Each thread has its own number, which it takes from a common one at its first use of torch. Every thread that computes
    with torch calls this first, as others change the common number for a moment.
    """
    import torch  # imported here: decoding needs no torch

    if count:
        torch.set_num_threads(count)
        torch.get_num_threads()  # takes the common number, which may be that of another thread by now
        torch.set_num_threads(count)


def map_in_threads(
    function: Callable[[T], R], items: Iterable[T], threads: int, prepare: Callable[[], object] = lambda: None
) -> Generator[R, None, None]:
    """Yield ``function`` of each item in order, computed in ``threads`` threads, each of which calls ``prepare`` first.

    An error of a call is raised at its turn. When the generator is closed, calls that have not begun are dropped.
    """
    if threads < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads, "side-by-side", prepare)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def map_side_by_side(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Like ``map_in_threads``, for calls of torch that share ``threads``.

    The threads of one torch call wait for each other after every layer; those of different calls do not.
    """
    beside = min(threads, MOST_SIDE_BY_SIDE)
    if beside < 2:
        return map_in_threads(function, items, 1)
    import torch

    return map_in_threads(function, items, beside, partial(_use_threads, threads // beside, torch.get_num_threads()))


def _use_threads(count: int, common: int) -> None:
    """Like ``use_threads``, for this thread only: the common number is ``common`` again."""
    import torch

    use_threads(count)
    restoring = threading.Thread(target=torch.set_num_threads, args=(common,))
    restoring.start()
    restoring.join()
