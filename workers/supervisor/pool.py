"""Keep one device process running per slot.

The pause before a restart grows with each failed start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from app.core.db.tasks import Claim
from app.core.settings import Settings
from workers.device.protocol import Slot
from workers.supervisor.engine import Engine
from workers.supervisor.process import DeviceProcess

log = logging.getLogger(__name__)

RESPAWN_SECONDS = (0.0, 1.0, 2.0, 5.0, 15.0)  # by the number of failed starts in a row
STARTS_WITH_MODELS = 2
GOODBYE_SECONDS = 2.0


class Pool:
    """The device processes, and the slots without one."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.processes: list[DeviceProcess] = []
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._vacant: dict[Slot, float] = {}
        self._failed_starts: dict[Slot, int] = {}
        self._failed_loads: dict[Slot, int] = {}  # of these, those in which the process had a place
        self._causes: dict[Slot, str] = {}
        self._bare: set[Slot] = set()  # slots whose processes start without preloading models
        self._unused: set[Slot] = set()  # slots whose next process does, too: nothing was to be done for long
        self._add_slots()

    def __str__(self) -> str:
        if self._engine.is_elastic:
            return f"up to {len(self._engine.list_slots())} devices of an autoscaler"
        return ", ".join(slot.name for slot in self.slots)

    @property
    def slots(self) -> list[Slot]:
        """The slots in use, with a process or about to get one."""
        return list(self._failed_starts)

    def _add_slots(self) -> None:
        """Add the slots of devices that have joined."""
        if not self._engine.is_elastic:
            for slot in self._engine.list_slots():
                self.add_slot(slot)

    def add_slot(self, slot: Slot) -> None:
        """Use a slot, unless it is in use."""
        if slot not in self._failed_starts:
            self._vacant[slot], self._failed_starts[slot], self._failed_loads[slot] = 0.0, 0, 0

    def remove_slot(self, slot: Slot) -> None:
        """Kill the process of a slot without tasks, without waiting for its end, and forget the slot."""
        for process in [process for process in self.processes if process.slot == slot]:
            process.transport.kill()
            self.processes.remove(process)
        for known in (self._vacant, self._failed_starts, self._failed_loads, self._causes):
            known.pop(slot, None)
        self._bare.discard(slot)
        self._unused.discard(slot)

    def start_due(self) -> None:
        """Start the processes that are due.

        After ``STARTS_WITH_MODELS`` failed starts, a slot no longer preloads models: a model may be the cause.
        """
        self._add_slots()
        for slot, due in list(self._vacant.items()):
            if self._clock() >= due:
                del self._vacant[slot]
                if self._failed_loads[slot] >= STARTS_WITH_MODELS and slot not in self._bare:
                    log.error("%s: preloading is disabled after %d failed starts", slot.name, STARTS_WITH_MODELS)
                    self._bare.add(slot)
                preload = self._settings.workers.preload and slot not in self._bare | self._unused
                self._unused.discard(slot)
                transport = self._engine.start(slot, preload)
                self.processes.append(DeviceProcess(slot, self._settings.workers, transport, preload, self._clock))

    def wait(self, seconds: float) -> None:
        """Wait ``seconds`` at most for a message or exit."""
        self._engine.wait(seconds)

    def mark_warm(self, process: DeviceProcess) -> None:
        """Reset the failed starts of the slot of a process that has loaded its models."""
        self._failed_starts[process.slot] = self._failed_loads[process.slot] = 0
        self._causes.pop(process.slot, None)

    def replace(self, process: DeviceProcess, why: str) -> None:
        """Kill a process and start a new one without a pause."""
        process.kill()
        self.processes.remove(process)
        self._vacant[process.slot] = 0.0
        log.info("%s is replaced: %s", process.name, why)

    def unload(self, process: DeviceProcess) -> None:
        """Replace an idle process by one without models, which uses no memory of the device."""
        self._unused.add(process.slot)
        self.replace(process, "its models were not used for models.idle_ttl")

    def remove_dead(self, process: DeviceProcess, cause: str) -> None:
        """Remove a process that died or hangs.

        If it has not loaded its models yet, this counts as a failed start, and the next one is delayed.
        """
        process.kill()
        self.processes.remove(process)
        failed = 0 if process.warm else self._failed_starts[process.slot] + 1
        self._failed_starts[process.slot] = failed
        self._failed_loads[process.slot] += bool(failed and process.transport.place)
        self._causes[process.slot] = cause
        pause = RESPAWN_SECONDS[min(failed, len(RESPAWN_SECONDS) - 1)]
        self._vacant[process.slot] = self._clock() + pause
        log.error("%s died (%s); restarting in %.0f s", process.name, cause, pause)

    def describe_devices(self) -> list[dict[str, Any]]:
        """Describe each slot for the heartbeat.

        The state is starting, idle, busy, ``requested`` from an autoscaler, ``waiting`` for a free device, or ``down`` if
        the last start failed; the last two with a cause.
        """
        states = [_describe_process(process, self._engine.is_elastic) for process in self.processes]
        states += [_describe_slot(slot, "starting", "") for slot in self._vacant]
        for slot, failed in self._failed_starts.items():
            if failed:  # also while the next start is in progress: it has not succeeded yet
                states = [state for state in states if state["device"] != slot.name]
                states.append(_describe_slot(slot, "down", "") | {"cause": self._causes[slot]})
        return states

    def kill_busy(self) -> list[Claim]:
        """Kill all busy processes and return their claims."""
        busy = [process for process in self.processes if process.assignments]
        self._kill(busy)
        return [assignment.claim for process in busy for assignment in process.assignments.values()]

    def stop(self, hurried: bool) -> None:
        """Stop all processes.

        Idle ones get ``GOODBYE_SECONDS`` in total to exit; the rest is killed, and all of them if ``hurried``.
        """
        leaving = [] if hurried else [process for process in self.processes if process.is_idle]
        for process in leaving:
            process.transport.hang_up()
        deadline = time.monotonic() + GOODBYE_SECONDS
        for process in leaving:
            process.transport.finish(max(0.0, deadline - time.monotonic()))
        self._kill(self.processes)
        self.processes = []

    def _kill(self, processes: list[DeviceProcess]) -> None:
        """Kill processes in parallel: signal all, then wait."""
        for process in processes:
            process.transport.kill()
        for process in processes:
            process.kill()


def _describe_process(process: DeviceProcess, is_elastic: bool) -> dict[str, Any]:
    described = _describe_slot(process.slot, process.state, process.transport.place)
    if process.state != "waiting":
        return described
    return described | ({"state": "requested"} if is_elastic else {"cause": "no device is free"})


def _describe_slot(slot: Slot, state: str, place: str) -> dict[str, Any]:
    return {"device": slot.name, "place": place, "state": state}
