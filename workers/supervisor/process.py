"""A device process as the supervisor sees it: its tasks, and the clocks that say whether it works."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.core.settings import Workers
from workers.device.protocol import (
    Failure,
    Loading,
    Message,
    Progress,
    Pulse,
    Ready,
    Resident,
    RunKey,
    Said,
    Slot,
    Stop,
    Warm,
)
from workers.supervisor.assignment import Assignment, Stopping, choose_patience, fail_to_load
from workers.supervisor.engine import Transport
from workers.supervisor.sharing import Load

log = logging.getLogger(__name__)

REAPED_SECONDS = 10.0  # a process in an uninterruptible system call survives SIGKILL: do not wait for ever
SILENT_SECONDS = 10.0  # without a sign of life, although it has runs


class DeviceProcess:
    """The process of one slot and its assignments.

    ``transport`` is the way to it. ``ready``: it takes tasks. ``warm``: all models are loaded that it loads beforehand.
    ``retiring``: it is replaced when it is empty.
    """

    def __init__(
        self,
        slot: Slot,
        limits: Workers,
        transport: Transport,
        preload: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slot = slot
        self.transport = transport
        self.name = slot.name
        self._limits = limits
        self._clock = clock
        self.started = clock()
        self.ready = self.warm = self.retiring = False
        self.assignments: dict[RunKey, Assignment] = {}
        self._loading = "the speech libraries"
        # one that waits for a place does not load yet
        self._loading_since: float | None = self.started if transport.place else None
        self._heard = self._used = self.started
        self._has_models = preload
        self._resident = 0  # MB
        self._rests_until: float | None = None  # None: its last run could use the storage

    @property
    def is_alive(self) -> bool:
        return self.transport.is_alive

    @property
    def is_idle(self) -> bool:
        return self.ready and not self.assignments and self.is_alive

    @property
    def is_resting(self) -> bool:
        """Whether it takes no task for a while."""
        return self._rests_until is not None and self._clock() < self._rests_until

    @property
    def is_silent(self) -> bool:
        """Whether it gives no sign of life: a native call has stopped all its threads."""
        return self._clock() - self._heard > SILENT_SECONDS

    @property
    def state(self) -> str:
        if self.ready:
            return "busy" if self.assignments else "idle"
        return "starting" if self.transport.place else "waiting"

    @property
    def load(self) -> Load:
        return Load(tuple(each.running for each in self.assignments.values()), self.retiring)

    def assign(self, assignment: Assignment) -> None:
        """Send it a task.

        If the process has just died, it keeps the assignment until the supervisor removes it.
        """
        if not self.assignments:
            self._heard = self._clock()  # it sends no pulse while it is empty
        self.assignments[assignment.key] = assignment
        if len(self.assignments) > 1:
            for each in self.assignments.values():
                each.shared = True
        self._has_models = True
        self.transport.send(assignment.job)

    def stop_run(self, assignment: Assignment, failure: Failure | None) -> None:
        """Ask a run to end; ``failure`` is its verdict, None if its task is no longer held."""
        patience = choose_patience(assignment, list(self.assignments.values()))
        assignment.stopping = Stopping(failure, self._clock() + patience)
        self.transport.send(Stop(assignment.key))

    def release(self, assignment: Assignment) -> None:
        del self.assignments[assignment.key]
        self._used = self._clock()

    def rest(self) -> None:
        """Take no task for a while: the storage, or the disk of its machine, has failed a run.

        It is twice the pause of the task, so that a healthy process gets it first.
        """
        if self._rests_until is None:
            log.error(
                "%s cannot read or store recordings; see its warnings. It takes few tasks until it can.", self.name
            )
        self._rests_until = self._clock() + 2 * self._limits.retry_pause

    def end_rest(self) -> None:
        """Take tasks as usual: a run could use the storage."""
        if self._rests_until is not None:
            log.info("%s can read and store recordings again", self.name)
        self._rests_until = None

    def read_messages(self) -> list[Message]:
        """Return the messages that have arrived, without waiting."""
        arrived = self.transport.receive()
        for message in arrived:
            self._record(message)
        return arrived

    def _record(self, message: Message) -> None:
        self._heard = self._clock()
        match message:
            case Ready():
                # with models left to load, these say so
                self.ready, self._loading_since, self._used = True, None, self._clock()
            case Warm():
                self.warm = True
            case Loading(str(model)):
                self._loading, self._loading_since = model, self._clock()
            case Loading(None):
                # until it is ready, the time between two models counts as loading as well
                self._loading_since = None if self.ready else self._clock()
            case Said(key, Loading() as load) if key in self.assignments:
                self.assignments[key].record_load(load)
            case Said(key, Progress() as progress) if key in self.assignments:
                self.assignments[key].record_progress(progress)
            case Resident(megabytes):
                self._resident = megabytes
            case Pulse(waits):
                for key in waits.keys() & self.assignments.keys():
                    self.assignments[key].record_wait(*waits[key])

    def check_load(self) -> Failure | None:
        """Return a Failure if the process takes longer than ``workers.load_timeout`` to load a model beforehand."""
        if self._loading_since is None or self._clock() - self._loading_since <= self._limits.load_timeout:
            return None
        return fail_to_load(self._loading, self._limits, [])

    def find_overdue(self) -> list[tuple[Assignment, Failure]]:
        """Return the runs that exceed a time limit, with the Failure of each."""
        running = [each for each in self.assignments.values() if each.stopping is None]
        return [(each, failure) for each in running if (failure := each.check_limits(self._limits)) is not None]

    def has_hung(self) -> bool:
        """Whether a run that was stopped has not ended in time, or cannot."""
        stopped = [each.stopping for each in self.assignments.values() if each.stopping is not None]
        return any(self.is_silent or self._clock() > each.deadline for each in stopped)

    def has_idled(self, seconds: float) -> bool:
        """Whether it has had models in memory without a task for ``seconds``."""
        return self.warm and self._has_models and self.is_unused(seconds)

    def is_unused(self, seconds: float) -> bool:
        """Whether it could take a task, but has had none for ``seconds``."""
        return self.is_idle and self._clock() - self._used > seconds

    def find_excess_memory(self) -> int | None:
        """Return its resident memory in MB if above ``workers.max_rss``."""
        most = self._limits.max_rss
        return self._resident if most and self._resident > most else None

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self.transport.kill()
        self.transport.finish(REAPED_SECONDS)
