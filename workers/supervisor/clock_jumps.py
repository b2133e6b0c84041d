"""Notice when a clock is set forward, so that nothing is removed before its time.

The age of a task comes from the clock of the database, the age of a file from the clock of the machine. Both are compared
with the steady clock, which cannot be set.
An age must be counted from ``readings``: a clock that is asked again may have jumped since the last look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

TOLERANCE_SECONDS = 60.0
Clock = Callable[[], float]


class ClockWatch:
    """Seconds by which the clocks have overtaken the steady one, and when that was."""

    def __init__(self, clocks: Sequence[Clock], steady: Clock = time.monotonic) -> None:
        self._clocks = clocks
        self._steady = steady
        self._readings = self._read()
        self._jumped_at = self._jump = 0.0

    @property
    def readings(self) -> list[float]:
        """What the clocks said at the last look, in the order in which they were given."""
        return self._readings[:-1]

    def measure_jump(self) -> float:
        """Compare the clocks; the seconds by which one has jumped forward since the last look, 0 when none has."""
        before, self._readings = self._readings, self._read()
        passed = self._readings[-1] - before[-1]
        jump = max(0.0, *(now - then - passed for now, then in zip(self._readings[:-1], before[:-1], strict=True)))
        if jump <= TOLERANCE_SECONDS:
            return 0.0
        still = max(0.0, self._jumped_at + self._jump - self._readings[-1])
        self._jumped_at, self._jump = self._readings[-1], jump + still
        return jump

    def is_trusted(self, ttl: float) -> bool:
        """Whether what looks ``ttl`` seconds old has that age: after a jump, only once as much time has really passed."""
        return self._readings[-1] - self._jumped_at >= min(ttl, self._jump)

    def _read(self) -> list[float]:
        return [*(clock() for clock in self._clocks), self._steady()]
