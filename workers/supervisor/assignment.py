"""A task that a device process runs, and the clocks of its run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.core.db.tasks import Claim
from app.core.params import Params
from app.core.settings import Workers
from workers.device.protocol import Failure, Job, Loading, Progress, RunKey
from workers.supervisor.sharing import Running
from workers.supervisor.unwritten import Unwritten

log = logging.getLogger(__name__)

SCALED_SECONDS = 3600.0  # workers.task_timeout is per hour of audio, and at least one hour
STOP_SECONDS = 3.0  # for a run to end that is stopped
MOST_STOP_SECONDS = 60.0
WAIT_SECONDS = 10.0  # a run that waits is assumed to wait on for so long after the last message of its process


@dataclass
class Stopping:
    """A run that is stopped should end by ``deadline``.

    ``failure`` is its verdict, None if its task is no longer held.
    """

    failure: Failure | None
    deadline: float


class Assignment:
    """One task of a process. ``shared``: the process had other tasks during this run."""

    def __init__(
        self,
        claim: Claim,
        job: Job[Params],
        running: Running,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claim = claim
        self.job = job
        self.shared = False
        self.stage: str | None = None
        self.stopping: Stopping | None = None
        self.unwritten = Unwritten()
        self._clock = clock
        self._crashes = running.crashes
        self._seconds = running.audio_duration
        self._began = clock()
        self._spent_loading = 0.0
        self._loading: str | None = None
        self._loading_since = 0.0
        self._waited = 0.0
        self._waits_since: float | None = None

    @property
    def key(self) -> RunKey:
        return self.job.key

    @property
    def has_begun(self) -> bool:
        """Whether it has reported progress."""
        return self.stage is not None

    @property
    def running(self) -> Running:
        return Running(self._crashes, self._seconds, self.job.longest)

    @property
    def age(self) -> float:
        """Seconds since the process has got the task."""
        return self._clock() - self._began

    def record_load(self, message: Loading) -> None:
        now = self._clock()
        if self._loading is not None:
            self._spent_loading += now - self._loading_since
        self._loading, self._loading_since = message.model, now

    def record_progress(self, message: Progress) -> None:
        self._seconds = message.facts.get("audio_duration", self._seconds)
        if self.stage != message.stage:
            log.info("task %s: %s", self.claim.uuid, message.stage)
        self.stage = message.stage
        self.unwritten.add(message)

    def record_wait(self, seconds: float, waits: bool) -> None:
        """Note for how long the run has waited for others, and whether it does so now."""
        self._waited, self._waits_since = seconds, self._clock() if waits else None

    def check_limits(self, limits: Workers) -> Failure | None:
        """Return a Failure if a time limit is exceeded.

        ``workers.load_timeout`` limits loading a model, ``workers.task_timeout`` the run without loading and waiting.
        """
        now, warnings = self._clock(), self.job.warnings
        if self._loading is not None:
            if now - self._loading_since <= limits.load_timeout:
                return None
            return fail_to_load(self._loading, limits, warnings)
        waiting = min(now - self._waits_since, WAIT_SECONDS) if self._waits_since is not None else 0.0
        allowed = limits.task_timeout * max(1.0, (self._seconds or 0.0) / SCALED_SECONDS)
        if self.age - self._spent_loading - self._waited - waiting <= allowed:
            return None
        say = f"The task took longer than {allowed:.0f} s (workers.task_timeout) in stage {self.stage}."
        return Failure("timeout", say, warnings, self.age, {})


def fail_to_load(model: str, limits: Workers, warnings: list[str]) -> Failure:
    """Make the Failure for a model whose loading takes too long."""
    say = f"Loading {model} took longer than {limits.load_timeout:.0f} s (workers.load_timeout)."
    return Failure("model_not_available", say, warnings, None, {})


def choose_patience(stopped: Assignment, others: list[Assignment]) -> float:
    """Return how long to wait for a stopped run, before its process is killed with all its runs.

    The others would lose their work, so it is as long as that took, within limits.
    """
    lost = max((other.age for other in others if other is not stopped), default=0.0)
    return min(MOST_STOP_SECONDS, max(STOP_SECONDS, lost))
