"""Run a torch network on several inputs side by side, on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

MOST_SIDE_BY_SIDE = 4  # each input takes memory: half a minute of audio, up to half a GB in a network of the usual size

T = TypeVar("T")
R = TypeVar("R")


def map_side_by_side(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Yield ``function`` of each item in order, with several calls at a time that share ``threads``.

    The threads of one call wait for each other after every layer; those of different calls do not. An error of a call is
    raised at its turn. When the generator is closed, calls that have not begun are dropped.
    """
    beside = min(threads, MOST_SIDE_BY_SIDE)
    if beside < 2:
        yield from map(function, items)
        return
    before = torch.get_num_threads()
    # OpenMP keeps this number for each thread by itself, torch another one for threads to come
    pool = ThreadPoolExecutor(beside, "side-by-side", torch.set_num_threads, (threads // beside,))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
