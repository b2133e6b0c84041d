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
from workers.device.host import Host
from workers.device.node import read_versions, write_mark
from workers.device.protocol import Slot
from workers.supervisor.ray_cluster import CPU_SLOT, count_devices, wait_for_cluster
from workers.supervisor.ray_transport import COMMANDS, MESSAGES, RayTransport

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between looks for new nodes


class RayEngine:
    """One actor for each device of the cluster, up to ``ray.slots``. ``serve`` runs a slot on its node.

    With ``ray.idle_timeout``, the cluster has an autoscaler: ``ray.slots`` devices can be there, also if none is now.
    """

    def __init__(self, settings: Settings, serve: Callable[..., None] = main.serve_slot) -> None:
        _check(settings)
        self.is_elastic = settings.ray.idle_timeout > 0
        wait_for_cluster(settings.ray.address)
        self._settings = settings
        # what a node does not need, it does not get
        self._sent = replace(settings, db_url="", webhook_secrets=())
        self._serve = serve
        self._versions = read_versions()
        self._mark = write_mark(settings.cache.path)
        once = {"max_restarts": 0, "max_task_retries": 0}
        groups = {COMMANDS: 1, MESSAGES: 1}
        self._host = ray.remote(num_cpus=0, concurrency_groups=groups, **once)(Host)
        self._started: list[RayTransport] = []
        self._slots: list[Slot] = []
        if self.is_elastic:
            self._slots = _make_slots(settings, settings.ray.slots, settings.workers.device == "cuda")
        else:
            self._look()
        for slot in self._slots:  # raises SettingsError now, instead of failing each task
            slots.choose_separation_device(settings.bgm_separation, slot)
        # the class is sent with the first actor: now, and not when the head is away
        ray.kill(self._create(Slot(0, "cpu", None, 0), False))
        if not self.is_elastic:
            # in a thread: without its head, a cluster does not answer for up to a minute
            threading.Thread(target=self._look_again, name="ray nodes", daemon=True).start()

    def list_slots(self) -> list[Slot]:
        return self._slots

    def start(self, slot: Slot, preload: bool) -> RayTransport:
        transport = RayTransport(self._create(slot, preload), self._versions)
        self._started.append(transport)
        return transport

    def _create(self, slot: Slot, preload: bool) -> Any:
        """Create an actor. Only the first call waits for the head of the cluster, because it sends the class."""
        needed: dict[str, Any] = {"num_gpus": 1} if slot.device == "cuda" else {"resources": {CPU_SLOT: 1}}
        return self._host.options(**needed).remote(slot, self._sent, preload, self._mark, self._serve)

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
        self._slots = _make_slots(self._settings, min(count, most) if most else count, use_gpus)


def _check(settings: Settings) -> None:
    """Raise SettingsError if an actor cannot serve a slot as configured."""
    if settings.workers.slots_per_gpu > 1:
        raise SettingsError("workers.slots_per_gpu must be 1 with workers.engine: ray")
    if not settings.ray.idle_timeout:
        return
    if not settings.ray.slots:
        raise SettingsError("ray.idle_timeout needs ray.slots: the most devices that the autoscaler is asked for")
    if settings.workers.device == "auto":
        say = "ray.idle_timeout needs workers.device: cuda or cpu. With auto, it is not clear which devices to ask for"
        raise SettingsError(say)


def _make_slots(settings: Settings, count: int, use_gpus: bool) -> list[Slot]:
    """Make the slots. An actor sees its own GPU only, as the first one."""
    threads = settings.workers.cpu_threads
    return [Slot(number, "cuda", 0, threads) if use_gpus else Slot(number, "cpu", None, 0) for number in range(count)]
