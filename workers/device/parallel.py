"""Divide the threads of a CPU slot among calls that run side by side.

The threads of one call wait for each other after every layer; those of different calls do not. So single windows side by
side are faster than one at a time with all threads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from workers.device.protocol import Slot

MOST_WORKERS = 8  # with more cores, each window gets several: a single one should not take long, either

T = TypeVar("T")
R = TypeVar("R")


def count_workers(threads: int) -> int:
    """Count the windows that Whisper decodes at once, with ``threads`` for all of them."""
    return min(max(1, threads), MOST_WORKERS)


def count_cores(slot: Slot) -> int | None:
    """Return the cores of one window in Whisper; None for a GPU, which it has to itself."""
    return max(1, slot.threads // count_workers(slot.threads)) if slot.device == "cpu" else None


def map_in_threads(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Yield ``function`` of each item in order, computed in ``threads`` threads.

    An error of a call is raised at its turn. When the generator is closed, calls that have not begun are dropped.
    """
    if threads < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads, "window")
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
