"""Find tasks whose supervisor has died.

A lease is lost if this process has not seen it renewed for 30 s. The times in the database are not compared with a clock:
a clock that jumps must not make running tasks look abandoned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from app.core.db.leases import Lease
from app.core.db.tasks import LEASE_SECONDS
from workers.supervisor.identity import is_provably_dead
from workers.supervisor.unchanged import UnchangedWatch


class LeaseWatch:
    """The leases of other supervisors and their last renewal.

    ``is_only_supervisor``: no other supervisor can use this database, so all other holders are dead.
    """

    def __init__(
        self, is_only_supervisor: bool, clock: Callable[[], float] = time.monotonic, seconds: float = LEASE_SECONDS
    ) -> None:
        self._is_only_supervisor = is_only_supervisor
        self._watch: UnchangedWatch[Lease] = UnchangedWatch(seconds, clock)

    def find_lost(self, held: Iterable[Lease]) -> list[Lease]:
        """Return the leases in ``held`` that are lost.

        ``held`` must contain all leases of other supervisors.
        """
        return self._watch.find_stale(held, self._is_dead)

    def _is_dead(self, lease: Lease) -> bool:
        return self._is_only_supervisor or is_provably_dead(lease.claim.holder)
