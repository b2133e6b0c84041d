"""A thread of the supervisor's process that works beside its loop, on a database connection of its own.

It ticks until it is stopped. Neither an outage of the database nor an error ends it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from peewee import DatabaseError, InterfaceError

from app.core.db.connection import database

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
DATABASE_PAUSE_SECONDS = 1.0
GOODBYE_SECONDS = 1.0  # that a subclass may wait in ``finish`` for what runs


class BackgroundThread:
    """Calls ``tick`` regularly, and at the end ``finish`` and ``release``.

    ``work`` names in the log what the thread does.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End what runs, and release it, so that the next start continues."""
        self._stopping.set()
        self._thread.join(2 * GOODBYE_SECONDS)  # half for what runs, half for the database

    def tick(self) -> None:
        """Do what is due, on an open database."""
        raise NotImplementedError

    def finish(self) -> None:
        """Wait for what runs, for at most GOODBYE_SECONDS."""
        raise NotImplementedError

    def release(self) -> None:
        """Give up in the database what has not finished."""
        raise NotImplementedError

    def _serve(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self._run_step(self.tick)
        self.finish()
        self._run_step(self.release)
        database.close()

    def _run_step(self, step: Callable[[], None]) -> None:
        """Run ``step``; log its errors, which must not end the thread."""
        try:
            database.connect(reuse_if_open=True)
            step()
        except (DatabaseError, InterfaceError) as error:
            say = "database unavailable for %s, retrying in %.0f s: %s"
            log.error(say, self._work, DATABASE_PAUSE_SECONDS, error)
            database.close()
            self._stopping.wait(DATABASE_PAUSE_SECONDS)
        except Exception:
            log.exception("%s: unexpected error, continuing", self._work)
            self._stopping.wait(DATABASE_PAUSE_SECONDS)
