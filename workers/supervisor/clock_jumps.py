"""Detect clocks that are set forward.

Otherwise the purge would remove recent files and tasks, because they look old.
The age of a task comes from the clock of the database, the age of a file from the clock of the machine. Both are compared
with the monotonic clock, which cannot be set.
Compute ages from ``readings``: a clock that is read again may have jumped since ``measure_jump``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

TOLERANCE_SECONDS = 60.0
Clock = Callable[[], float]


class ClockWatch:
    """Compare clocks with the monotonic clock.

    It remembers the last jump: its size in seconds, and when it was measured.
    """

    def __init__(self, clocks: Sequence[Clock], steady: Clock = time.monotonic) -> None:
        self._clocks = clocks
        self._steady = steady
        self._readings = self._read()
        self._jumped_at = self._jump = 0.0

    @property
    def readings(self) -> list[float]:
        """The last reading of each clock, in the order of ``clocks``."""
        return self._readings[:-1]

    def measure_jump(self) -> float:
        """Read the clocks and return the largest forward jump.

        In seconds since the last call; 0 below ``TOLERANCE_SECONDS``.
        """
        before, self._readings = self._readings, self._read()
        passed = self._readings[-1] - before[-1]
        jump = max(0.0, *(now - then - passed for now, then in zip(self._readings[:-1], before[:-1], strict=True)))
        if jump <= TOLERANCE_SECONDS:
            return 0.0
        # an earlier jump may not be over yet: both add up
        still = max(0.0, self._jumped_at + self._jump - self._readings[-1])
        self._jumped_at, self._jump = self._readings[-1], jump + still
        return jump

    def is_trusted(self, ttl: float) -> bool:
        """Whether an apparent age of ``ttl`` seconds is real.

        After a jump, it is once as much time has passed by the monotonic clock, or the size of the jump if that is less.
        """
        return self._readings[-1] - self._jumped_at >= min(ttl, self._jump)

    def _read(self) -> list[float]:
        return [*(clock() for clock in self._clocks), self._steady()]
