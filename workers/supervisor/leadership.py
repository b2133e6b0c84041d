"""Let one supervisor lead a Ray cluster, while the others wait.

All devices of the cluster belong to the leader. What others would start waits for free devices, and takes them when the
leader dies. The lock is PostgreSQL's: the server releases it when the connection of its holder ends.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from peewee import DatabaseError, InterfaceError

from app.core.db.leader_lock import LeaderLock

log = logging.getLogger(__name__)

ASK_SECONDS = 1.0
CHECK_SECONDS = 5.0


def stop_process() -> None:
    """Stop this supervisor like a signal from outside."""
    os.kill(os.getpid(), signal.SIGTERM)


class Leadership:
    """The ``lock`` in a thread of its own.

    ``lose`` is called if the connection breaks and another supervisor has the lock before it is back. Until then two may
    lead for a moment, which the database allows: each task is claimed once.
    """

    def __init__(self, lock: LeaderLock, lose: Callable[[], None] = stop_process) -> None:
        self._lock = lock
        self._lose = lose
        self._leads = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="leadership", daemon=True)

    def acquire(self) -> None:
        """Wait until this supervisor leads."""
        self._thread.start()
        self._leads.wait()

    def release(self) -> None:
        """Let another supervisor lead."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                self._ask()
                self._keep()
            except (DatabaseError, InterfaceError) as error:
                log.error("the lock of the leader is not available, trying again in %.0f s: %s", ASK_SECONDS, error)
                self._stopping.wait(ASK_SECONDS)
            finally:
                self._lock.close()

    def _ask(self) -> None:
        """Return with the lock, or when this supervisor stops."""
        self._lock.connect()
        has_waited = False
        while not self._stopping.is_set():
            if self._lock.try_acquire():
                self._leads.set()
                return
            if self._leads.is_set():
                log.error(
                    "another supervisor leads the Ray cluster since the connection to the database broke; stopping"
                )
                self._stopping.set()
                self._lose()
                return
            if not has_waited:
                log.info("another supervisor leads the Ray cluster; waiting for its end")
            has_waited = True
            self._stopping.wait(ASK_SECONDS)

    def _keep(self) -> None:
        """Keep the connection until this supervisor stops; an error says that it has broken."""
        while not self._stopping.wait(CHECK_SECONDS):
            self._lock.check()
