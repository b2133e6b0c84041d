"""Share out the threads of one web process, so that no kind of request can take all of them."""

from __future__ import annotations

import threading


class ThreadBudget:
    """The threads of this process that one kind of request may hold at once."""

    def __init__(self, threads: int, share: float) -> None:
        """Of ``threads``, ``share`` rounded down, and at least one."""
        self._free = threading.BoundedSemaphore(max(1, int(threads * share)))

    def take(self) -> bool:
        """Whether there was a thread to take; never waits."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()
