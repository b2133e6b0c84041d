"""Start a device process and communicate with it.

This is the supervisor's side; workers/device/main.py is the other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import psutil

from app.core.db.tasks import Claim
from app.core.params import Params
from app.core.settings import Settings
from workers.device import main
from workers.device.protocol import Failure, Job, Loading, Message, Progress, Ready, Slot
from workers.supervisor.inbox import Inbox

GOODBYE_SECONDS = 2.0
REAPED_SECONDS = 10.0  # a process in an uninterruptible system call survives SIGKILL: do not wait for ever
SCALED_SECONDS = 3600.0  # workers.task_timeout is per hour of audio, and at least one hour
MEBIBYTE = 1024 * 1024


class DeviceProcess:
    """The process of one slot, its Pipe and its claim."""

    def __init__(
        self,
        slot: Slot,
        settings: Settings,
        preload: bool,
        clock: Callable[[], float] = time.monotonic,
        serve: Callable[..., None] = main.serve,
    ) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.slot = slot
        self._limits = settings.workers
        self._clock = clock
        self.connection, theirs = context.Pipe()
        self._inbox = Inbox(self.connection)
        arguments = (theirs, slot, settings, os.getpid(), preload)
        self.name = f"{slot.device}-{slot.number}"
        self.process = context.Process(target=serve, args=arguments, name=self.name, daemon=True)
        self.process.start()
        theirs.close()  # so that the Pipe ends when the process does
        self.started = clock()
        self.ready = False
        self.claim: Claim | None = None
        self.job: Job[Params] | None = None
        self.stage: str | None = None
        self._loading = "the speech libraries"
        self._loading_since: float | None = self.started
        self._assigned = self._spent_loading = self._hours = 0.0

    @property
    def is_idle(self) -> bool:
        return self.ready and self.claim is None and self.process.is_alive()

    @property
    def has_begun(self) -> bool:
        """Whether it has reported progress on its job."""
        return self.stage is not None

    @property
    def state(self) -> str:
        return "busy" if self.claim else "idle" if self.ready else "starting"

    def assign(self, claim: Claim, job: Job[Params]) -> None:
        """Send it a task.

        If the process has just died, it keeps the claim until the supervisor removes it.
        """
        self.claim, self.job, self.stage = claim, job, None
        self._assigned, self._spent_loading, self._hours = self._clock(), 0.0, 0.0
        with contextlib.suppress(OSError):
            self.connection.send(job)

    def release(self) -> None:
        self.claim = self.job = self.stage = None

    def read_messages(self) -> list[Message]:
        """Return the messages that have arrived, without waiting."""
        arrived: list[Message] = self._inbox.read()
        for message in arrived:
            self._record(message)
        return arrived

    def _record(self, message: Message) -> None:
        match message:
            case Ready():
                self.ready, self._loading_since = True, None
            case Loading(str(model)):
                self._loading, self._loading_since = model, self._clock()
            case Loading(None) if self._loading_since is not None:
                self._spent_loading += self._clock() - self._loading_since
                # until it is ready, the time between two models counts as loading as well
                self._loading_since = None if self.ready else self._clock()
            case Progress(facts=facts):
                self._hours = facts.get("audio_duration", 0.0) / SCALED_SECONDS

    def check_deadline(self) -> Failure | None:
        """Return a Failure if a time limit is exceeded.

        ``workers.load_timeout`` limits loading a model, ``workers.task_timeout`` the task without loading.
        """
        now, warnings = self._clock(), self.job.warnings if self.job else []
        if self._loading_since is not None:
            if now - self._loading_since <= self._limits.load_timeout:
                return None
            say = f"Loading {self._loading} took longer than {self._limits.load_timeout:.0f} s (workers.load_timeout)."
            return Failure("model_not_available", say, warnings, None, {})
        allowed = self._limits.task_timeout * max(1.0, self._hours)
        if self.claim is None or now - self._assigned - self._spent_loading <= allowed:
            return None
        say = f"The task took longer than {allowed:.0f} s (workers.task_timeout) in stage {self.stage}."
        return Failure("timeout", say, warnings, now - self._assigned, {})

    def read_excess_memory(self) -> int | None:
        """Return its resident memory in MB if above ``workers.max_rss``."""
        if not self._limits.max_rss:
            return None
        try:
            resident = int(psutil.Process(self.process.pid).memory_info().rss) // MEBIBYTE
        except psutil.NoSuchProcess:  # it has died; the next tick of the supervisor handles that
            return None
        return resident if resident > self._limits.max_rss else None

    def kill(self) -> None:
        """Kill it with SIGKILL.

        No other signal ends a native call.
        """
        self.process.kill()
        self.process.join(REAPED_SECONDS)
        self.connection.close()

    def hang_up(self) -> None:
        """Close the Pipe, which makes an idle process exit."""
        self.connection.close()

    def describe_exit(self) -> str:
        """Describe why it ended, from its exit status."""
        code = self.process.exitcode
        if code == main.DEVICE_LOST:
            return "unrecoverable device error"
        if code is None or code >= 0:
            return f"exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}, possibly out of memory" if -code == signal.SIGKILL else name
