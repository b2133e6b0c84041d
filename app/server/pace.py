"""Refuse request bodies that arrive too slowly."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from werkzeug.exceptions import RequestTimeout

WINDOW_SECONDS = 30.0
KB = 1024


class Timed(Protocol):
    """The part of a socket that ``Pace`` needs."""

    def settimeout(self, value: float | None, /) -> None: ...


class Pace:
    """The rate of one request body.

    It is measured over windows of time spent waiting for the client. Only the time inside ``receive`` counts: a slow
    disk on this side is not the sender's fault.
    """

    def __init__(
        self, least_kb: float, window: float = WINDOW_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.least_kb = least_kb
        self.window = window
        self.clock = clock
        self.waited = 0.0
        self.count = 0

    def receive(self, sock: Timed, read: Callable[[], bytes]) -> bytes:
        """Read from ``sock`` and measure the rate.

        Returns what ``read`` returns. Raises RequestTimeout when a window ends below ``least_kb`` kB per second.
        """
        while True:
            began = self.clock()
            # A timeout of 0 would make the socket non-blocking.
            sock.settimeout(max(self.window - self.waited, 0.001))
            try:
                data: bytes | None = read()
            except TimeoutError:
                data = None
            finally:
                sock.settimeout(None)
            self.waited += self.clock() - began
            self.count += len(data or b"")
            if self.waited >= self.window:
                self._check_rate()
            if data is not None:
                return data

    def _check_rate(self) -> None:
        if self.count < self.least_kb * KB * self.window:
            say = f"The request body arrived at less than {self.least_kb:g} kB/s for {self.window:.0f} s."
            raise RequestTimeout(say)
        self.waited, self.count = 0.0, 0
