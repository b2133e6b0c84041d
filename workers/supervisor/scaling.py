"""Ask an autoscaler for devices while tasks wait, and give back those without tasks.

A process that waits for a device is what an autoscaler sees. It starts a machine for it, and removes machines that no
process uses.
"""

from __future__ import annotations

import logging
import math

from app.core.db import claims
from app.core.settings import Settings
from workers.device.protocol import Slot
from workers.supervisor.engine import Engine
from workers.supervisor.pool import Pool

log = logging.getLogger(__name__)


class Scaling:
    """Chooses which slots of an elastic engine the ``pool`` uses; does nothing with another engine."""

    def __init__(self, settings: Settings, pool: Pool, engine: Engine) -> None:
        self._settings = settings
        self._pool = pool
        self._engine = engine

    def adjust(self) -> None:
        """Use as many slots as there is work for. Call it when all tasks that find a place are claimed.

        For every ``workers.tasks_per_device`` tasks that wait, a slot is on its way: its process would take them all.
        """
        if not self._engine.is_elastic:
            return
        places = self._settings.workers.tasks_per_device
        listed = self._engine.list_slots()
        waiting = claims.count_ready(len(listed) * places)
        ready = {process.slot for process in self._pool.processes if process.ready}
        coming = [slot for slot in self._pool.slots if slot not in ready]
        missing = math.ceil(waiting / places) - len(coming)
        if missing > 0:
            self._ask(listed, missing)
        else:
            self._withdraw(coming, -missing)
        self._give_back()

    def _ask(self, listed: list[Slot], count: int) -> None:
        """Use ``count`` more slots, as far as there are any."""
        for slot in [slot for slot in listed if slot not in self._pool.slots][:count]:
            log.info("%s is requested: tasks wait", slot.name)
            self._pool.add_slot(slot)

    def _withdraw(self, coming: list[Slot], count: int) -> None:
        """Give up ``count`` requests, as far as they have not got a device yet."""
        placed = {process.slot for process in self._pool.processes if process.transport.place}
        for slot in [slot for slot in reversed(coming) if slot not in placed][:count]:
            log.info("%s is no longer requested", slot.name)
            self._pool.remove_slot(slot)

    def _give_back(self) -> None:
        """Give back the slots that have had no task for ``ray.idle_timeout``."""
        seconds = self._settings.ray.idle_timeout
        for process in [each for each in self._pool.processes if each.is_unused(seconds)]:
            log.info("%s is given back: no task for %.0f s", process.name, seconds)
            self._pool.remove_slot(process.slot)
