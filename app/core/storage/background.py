"""Do work that may take long in a thread of its own, one piece after another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)


class Background:
    """A thread that is started with the first piece of work. What is left at the end of the process is not done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_running = False

    def run(self, work: Callable[[], None]) -> None:
        """Have ``work`` called later."""
        self._waiting.put(work)
        with self._lock:
            if not self._is_running:
                threading.Thread(target=self._serve, name=self._name, daemon=True).start()
                self._is_running = True

    def _serve(self) -> None:
        while True:
            try:
                self._waiting.get()()
            except Exception:
                log.exception("%s: unexpected error, continuing", self._name)
