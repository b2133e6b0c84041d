"""Find what has not changed for some time, by this process's steady clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

BLINK_SECONDS = 15.0  # after a longer gap between two calls, start to watch again

T = TypeVar("T", bound=Hashable)


class UnchangedWatch(Generic[T]):
    """Since when each thing has been seen without a change."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[T, float] = {}
        self._last_look = clock()

    def find_stale(self, seen: Iterable[T], is_stale: Callable[[T], bool] = lambda thing: False) -> list[T]:
        """Return those of ``seen`` that have not changed for the watch's seconds.

        ``seen`` must contain all that is watched. What ``is_stale`` is returned at once.
        """
        now = self._clock()
        if now - self._last_look > BLINK_SECONDS:
            self._since.clear()  # this process was stopped, or the database unavailable: changes may have been missed
        self._last_look = now
        self._since = {thing: self._since.get(thing, now) for thing in seen}
        return [thing for thing, since in self._since.items() if now - since > self._seconds or is_stale(thing)]
