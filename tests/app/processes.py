"""Run a function in several processes at once."""

from __future__ import annotations

import multiprocessing
from typing import Any


def in_processes(target: Any, count: int, *arguments: Any) -> list[Any]:
    """Run ``target(barrier, *arguments)`` in ``count`` new processes at once and return their results."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(count)
        with context.Pool(count) as pool:
            return pool.starmap(target, [(barrier, *arguments)] * count, chunksize=1)
