"""Measure the seconds of work in each stage of a run."""

from __future__ import annotations

import time
from collections.abc import Callable


class StageClock:
    """The seconds of each stage by ``clock``, which stands still while the run waits for others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._stage: str | None = None
        self._since = 0.0

    def enter(self, stage: str) -> None:
        """Start ``stage``, which ends the one before it."""
        now = self._clock()
        self._add(now - self._since)
        self._stage, self._since = stage, now

    def read(self) -> dict[str, float]:
        """End the current stage and return the seconds of all stages."""
        self._add(self._clock() - self._since)
        self._stage = None
        return {stage: max(0.0, seconds) for stage, seconds in self._seconds.items()}

    def _add(self, seconds: float) -> None:
        if self._stage is not None:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + seconds
