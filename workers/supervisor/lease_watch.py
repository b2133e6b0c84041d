"""Find tasks whose supervisor is gone, by no clock but our own: a lease is over when it has not been renewed before our eyes.

The times in the database are never compared with a clock: a clock that jumps a day must not make anybody's work look abandoned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from app.core.db.leases import Lease
from app.core.db.tasks import LEASE_SECONDS
from workers.supervisor.identity import is_provably_dead

BLINK_SECONDS = 15.0


class LeaseWatch:
    """What others hold, and for how long each lease has stood still.

    ``alone``: nobody else can serve this database, so whoever holds something in it is dead.
    """

    def __init__(
        self, is_only_supervisor: bool, clock: Callable[[], float] = time.monotonic, seconds: float = LEASE_SECONDS
    ) -> None:
        self._is_only_supervisor = is_only_supervisor
        self._seconds = seconds
        self._clock = clock
        self._since: dict[Lease, float] = {}
        self._last_look = clock()

    def find_lost(self, held: Iterable[Lease]) -> list[Lease]:
        """Those of ``held``, which is all that others hold now, that nobody works on any more."""
        now = self._clock()
        if now - self._last_look > BLINK_SECONDS:
            self._since.clear()  # we were stopped, or the database was away: nobody could be seen renewing
        self._last_look = now
        self._since = {lease: self._since.get(lease, now) for lease in held}
        return [lease for lease, since in self._since.items() if now - since > self._seconds or self._is_dead(lease)]

    def _is_dead(self, lease: Lease) -> bool:
        return self._is_only_supervisor or is_provably_dead(lease.claim.holder)
