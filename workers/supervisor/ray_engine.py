"""Start device processes on the nodes of a Ray cluster: an actor for each GPU.

Ray places and ends them. It retries nothing: that is the database's part (docs/durability.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray

from app.core.errors import SettingsError
from app.core.settings import Settings
from workers.device import main, slots
from workers.device.host import Host, read_versions, write_mark
from workers.device.protocol import Slot
from workers.supervisor.ray_cluster import CPU_SLOT, count_devices, wait_for_cluster
from workers.supervisor.ray_transport import COMMANDS, STREAM, RayTransport

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between looks for new nodes


class RayEngine:
    """One actor for each device of the cluster, up to ``ray.slots``. ``serve`` runs a slot on its node."""

    def __init__(self, settings: Settings, serve: Callable[..., None] = main.serve_slot) -> None:
        if settings.workers.slots_per_gpu > 1:
            raise SettingsError("workers.slots_per_gpu must be 1 with workers.engine: ray")
        wait_for_cluster(settings.ray.address)
        self._settings = settings
        # what a node does not need, it does not get
        self._sent = replace(settings, db_url="", webhook_secrets=())
        self._serve = serve
        self._versions = read_versions()
        self._mark = write_mark(settings.cache.path)
        self._started: list[RayTransport] = []
        self._slots: list[Slot] = []
        self._look()
        for slot in self._slots:  # raises SettingsError now, instead of failing each task
            slots.choose_separation_device(settings.bgm_separation, slot)
        # in a thread: without its head, a cluster does not answer for up to a minute
        threading.Thread(target=self._look_again, name="ray nodes", daemon=True).start()

    def list_slots(self) -> list[Slot]:
        return self._slots

    def start(self, slot: Slot, preload: bool) -> RayTransport:
        needed: dict[str, Any] = {"num_gpus": 1} if slot.device == "cuda" else {"resources": {CPU_SLOT: 1}}
        groups = {COMMANDS: 1, STREAM: 1}
        once = {"max_restarts": 0, "max_task_retries": 0}
        actor_class = ray.remote(num_cpus=0, concurrency_groups=groups, **once, **needed)(Host)
        transport = RayTransport(actor_class.remote(slot, self._sent, preload, self._mark, self._serve), self._versions)
        self._started.append(transport)
        return transport

    def wait(self, seconds: float) -> None:
        before = len(self._started)
        self._started = [transport for transport in self._started if transport.is_alive]
        if len(self._started) < before:  # one has died: the caller looks at once
            return
        if not self._started:
            time.sleep(seconds)
            return
        # one call for all of them, and then only those that have something to say: there may be hundreds
        awaited = {transport.awaited: transport for transport in self._started}
        ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        if not ready and not any(transport.has_arrived for transport in self._started):
            ready, _ = ray.wait(list(awaited), timeout=seconds)
        for each in ready:
            awaited[each].poll()

    def _look_again(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self._look()
            except Exception:  # of several kinds, while the head is away
                log.exception("the Ray cluster does not say which nodes it has")

    def _look(self) -> None:
        """Count the devices of all nodes."""
        found = count_devices()
        workers, most = self._settings.workers, self._settings.ray.slots
        use_gpus = workers.device != "cpu" and (found.gpus > 0 or workers.device == "cuda")
        count = found.gpus if use_gpus else found.cpu_slots
        count = min(count, most) if most else count
        # an actor sees its own GPU only, as the first one
        self._slots = [
            Slot(number, "cuda", 0, workers.cpu_threads) if use_gpus else Slot(number, "cpu", None, 0)
            for number in range(count)
        ]
