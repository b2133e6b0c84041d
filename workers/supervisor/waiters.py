"""Cancel tasks whose client no longer waits for them.

The web process renews ``waited_at`` while the client waits (app/waiting.py).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.core.db import tasks, waiters
from app.core.db.waiters import Waiter
from workers.supervisor.unchanged import UnchangedWatch

log = logging.getLogger(__name__)

GRACE_SECONDS = 60.0  # for a client that lost its connection to come back


class WaiterWatch:
    """The clients that wait, and when they were last seen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = GRACE_SECONDS) -> None:
        self._watch: UnchangedWatch[Waiter] = UnchangedWatch(seconds, clock)

    def cancel_abandoned(self) -> list[str]:
        """Cancel tasks whose client is gone; return their identifiers.

        A client that comes back in this moment keeps its task.
        """
        gone = self._watch.find_stale(waiters.list_all())
        cancelled = [waiter.uuid for waiter in gone if tasks.cancel(waiter.uuid, unless_waited_since=waiter.waited_at)]
        for uuid in cancelled:
            log.info("task %s cancelled: its client has gone", uuid)
        return cancelled
