"""Sample the peak resident memory of processes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

import psutil

SAMPLED_SECONDS = 0.1


class Peak:
    """A context manager that samples the memory of processes.

    ``highest`` is the most that any of them held, ``growth`` the most that one has grown, in bytes.
    """

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes
        self._before = [process.memory_info().rss for process in processes]
        self._highest = list(self._before)
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()

    @property
    def highest(self) -> int:
        return max(self._highest)

    @property
    def growth(self) -> int:
        return max(high - before for high, before in zip(self._highest, self._before, strict=True))

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLED_SECONDS):
            now = [process.memory_info().rss for process in self._processes]
            self._highest = [max(pair) for pair in zip(self._highest, now, strict=True)]
