"""Limit the decoded audio that the tasks of a process hold in memory (workers.max_audio_mb)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workers.device.turns import Share, Turns

MEBIBYTE = 2**20
LOOK_SECONDS = 0.5


class AudioMemory:
    """The bytes of audio that each run holds.

    A run that would pass the limit waits for others. A run that is the only one to hold any may pass it: there is nothing
    to wait for.
    """

    def __init__(self, most_mb: int, turns: Turns) -> None:
        self._most = most_mb * MEBIBYTE
        self._turns = turns
        self._changed = threading.Condition()
        self._held: dict[Share, int] = {}

    @contextmanager
    def hold(self, share: Share) -> Iterator[None]:
        """Give back at the end what the run holds."""
        try:
            yield
        finally:
            with self._changed:
                self._held.pop(share, None)
                self._changed.notify_all()

    def reserve(self, share: Share, wanted: int) -> None:
        """Let a run hold ``wanted`` bytes, when there is room. Raises StoppedError."""
        with self._changed:
            if self._has_room(share, wanted):
                self._held[share] = wanted
                return
        with self._turns.wait_for_others(share), self._changed:
            while not self._has_room(share, wanted):
                share.check()
                self._changed.wait(LOOK_SECONDS)
            self._held[share] = wanted

    def correct(self, share: Share, held: int) -> None:
        """Note what a run really holds, once it is known."""
        with self._changed:
            self._held[share] = held
            self._changed.notify_all()

    def _has_room(self, share: Share, wanted: int) -> bool:
        others = sum(held for each, held in self._held.items() if each is not share)
        return not others or others + wanted <= self._most
