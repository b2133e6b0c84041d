"""What a pipeline holds while it runs a job: the job, the warm models, its warnings and facts, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from app.core.settings import Settings
from workers.device import cuda_errors
from workers.device.protocol import Job, Progress, Slot
from workers.models.cache import WarmModels

REPORT_SECONDS = 0.2


class Run:
    """One run of one job. Stages call ``enter`` once and ``advance`` as they go; reports leave at most 5 times a second.

    ``last``: memory has run out before, and there is no third way: what a task can do without must not end it now.
    """

    def __init__(
        self,
        job: Job,
        slot: Slot,
        settings: Settings,
        models: WarmModels,
        send: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
        last: bool = False,
    ) -> None:
        self.job = job
        self.last = last
        self.slot = slot
        self.settings = settings
        self.models = models
        self.warnings = list(job.warnings)
        self.facts: dict[str, Any] = {}
        self.speaker_embeddings: str | None = None  # JSON text; stored with the result, unlike the facts
        self._send = send
        self._clock = clock
        self._stage = ""
        self._from = self._until = 0.0
        self._reported = float("-inf")

    @property
    def params(self) -> dict[str, Any]:
        return self.job.params

    def again(self, job: Job) -> Run:
        """The last run of ``job``, after one for which memory did not suffice."""
        return Run(job, self.slot, self.settings, self.models, self._send, self._clock, last=True)

    def must_end(self, error: Exception) -> bool:
        """Whether a stage that the task could do without must let ``error`` pass, because the device needs attention first."""
        return cuda_errors.sticky(error) or (cuda_errors.out_of_memory(error) and not self.last)

    def enter(self, stage: str, until: float) -> None:
        """Begin ``stage``; at its end the whole task will be at ``until`` (0–1)."""
        self._stage, self._from, self._until = stage, self._until, until
        self._report(self._from)

    def advance(self, fraction: float) -> None:
        """The current stage is ``fraction`` (0–1) done."""
        if self._clock() - self._reported >= REPORT_SECONDS:
            self._report(self._from + (self._until - self._from) * min(1.0, max(0.0, fraction)))

    def learn(self, **facts: Any) -> None:
        """Note columns of the row, such as ``language``; they travel with the next report."""
        self.facts.update(facts)

    def warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def _report(self, progress: float) -> None:
        self._reported = self._clock()
        self._send(Progress(self._stage, round(progress, 4), dict(self.facts)))
