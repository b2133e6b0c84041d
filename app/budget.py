"""Limit the threads that one kind of request holds.

No kind of request can then take all threads of a web process.
"""

from __future__ import annotations

import threading


class ThreadBudget:
    """The threads that one kind of request may hold."""

    def __init__(self, threads: int, share: float) -> None:
        """Allow ``share`` of ``threads``, rounded down, at least one."""
        self._free = threading.BoundedSemaphore(max(1, int(threads * share)))

    def take(self) -> bool:
        """Take a thread if one is free, without waiting."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()
