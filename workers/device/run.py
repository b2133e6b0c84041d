"""The context in which the stages of a job run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Generic

from app.core.db.states import Stage
from app.core.params import P, P_co
from app.core.settings import Settings
from workers.device import cuda_errors
from workers.device.device import Device
from workers.device.protocol import Job, Progress, Slot
from workers.device.stage_clock import StageClock
from workers.device.turns import Share, Turn
from workers.models.cache import WarmModels
from workers.models.loan import Loan

REPORT_SECONDS = 0.2
SEGMENT_SECONDS = 1.0


class ReturnedError(BaseException):
    """The recording, of ``seconds``, is longer than the job allows; not an Exception, as no stage survives it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Run(Generic[P_co]):
    """One run of a job: its share of the device, models, warnings, facts and progress.

    ``device`` is shared with the other runs of the process; without one, the run has a device of its own. ``tell`` is called
    with the name of a model that is loaded for this run, and with None after that.
    ``last``: an earlier run has run out of memory, and there is no further retry. An optional stage that runs out of
    memory is then skipped.
    """

    def __init__(
        self,
        job: Job[P_co],
        slot: Slot,
        settings: Settings,
        models: WarmModels,
        send: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
        last: bool = False,
        device: Device | None = None,
        tell: Callable[[str | None], None] = lambda model: None,
        share: Share | None = None,
    ) -> None:
        self.job = job
        self.last = last
        self.slot = slot
        self.settings = settings
        self.device = device or Device(slot, settings.workers)
        self.share = share or Share()
        self.models = Loan(models, self.device.turns, self.share, self._note_load)
        self.warnings = list(job.warnings)
        self.facts: dict[str, Any] = {}
        self.stage_clock = StageClock(self._read_work_clock)
        # JSON text; stored with the result, unlike the facts
        self.speaker_embeddings: str | None = None
        self.speaker_turns: str | None = None
        self._warm = models
        self._send = send
        self._tell = tell
        self._clock = clock
        self._loading_since: float | None = None
        self._loaded = 0.0  # seconds
        self._stage = ""
        self._from = self._until = 0.0
        self._reported = float("-inf")  # the first report is never held back
        self._sent = 0
        self._unsent: list[str] = []  # segments as JSON text
        self._shown = hashlib.sha256()
        self._sent_segments = float("-inf")

    @property
    def params(self) -> P_co:
        return self.job.params

    def for_last_attempt(self: Run[P], job: Job[P]) -> Run[P]:
        """Make the retry of ``job`` after running out of memory."""
        return Run(
            job,
            self.slot,
            self.settings,
            self._warm,
            self._send,
            self._clock,
            last=True,
            device=self.device,
            tell=self._tell,
            share=self.share,
        )

    def turn(self, cores: int | None = None) -> AbstractContextManager[Turn]:
        """Wait for the device, and have it inside the block. ``cores`` of a CPU are enough; None: all of it.

        Raises StoppedError.
        """
        return self.device.turns.take(self.share, cores)

    def measure_recording(self, seconds: float) -> None:
        """Note the length of the recording. Raises ReturnedError if the job is not for one that is so long."""
        self.add_facts(audio_duration=round(seconds, 3))
        if self.job.longest is not None and seconds > self.job.longest:
            raise ReturnedError(seconds)

    def must_raise(self, error: Exception) -> bool:
        """Whether an optional stage must not catch ``error``.

        The process must first be replaced, or the run repeated with less memory.
        """
        return cuda_errors.is_sticky(error) or (cuda_errors.is_out_of_memory(error) and not self.last)

    def enter(self, stage: Stage, until: float) -> None:
        """Start ``stage``.

        When it is finished, the progress of the task is ``until`` (0–1).
        """
        self.stage_clock.enter(stage)
        self._stage, self._from, self._until = stage, self._until, until
        self._report(self._from)

    def advance(self, fraction: float) -> None:
        """Report that ``fraction`` (0–1) of the stage is done.

        At most one report is sent per ``REPORT_SECONDS``. Raises StoppedError.
        """
        self.share.check()
        if self._clock() - self._reported >= REPORT_SECONDS:
            self._report(self._from + (self._until - self._from) * min(1.0, max(0.0, fraction)))

    def show(self, segments: Iterable[str]) -> None:
        """Show segments (JSON text) before the result is complete.

        They are sent with a report, at most once per ``SEGMENT_SECONDS``.
        """
        for segment in segments:
            self._unsent.append(segment)
            self._shown.update(segment.encode())

    def compare_with_shown(self, segments: Iterable[str]) -> None:
        """Note whether the result has other segments (JSON text) than were shown."""
        final = hashlib.sha256("".join(segments).encode())
        self.add_facts(segments_changed=final.digest() != self._shown.digest())

    def add_facts(self, **facts: Any) -> None:
        """Set columns of the row, such as ``language``.

        They are sent with the next report.
        """
        self.facts.update(facts)

    def warn(self, sentence: str) -> None:
        """Add a warning for the client, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def _note_load(self, model: str | None) -> None:
        self._tell(model)
        if self._loading_since is not None:
            self._loaded += self._clock() - self._loading_since
        self._loading_since = None if model is None else self._clock()

    def _read_work_clock(self) -> float:
        """Return the seconds of a clock that stands still while the run waits for others, or a model is loaded."""
        return self._clock() - self.device.turns.measure_wait(self.share)[0] - self._loaded

    def _report(self, progress: float) -> None:
        self._reported = self._clock()
        segments: tuple[str, ...] = ()
        if self._unsent and self._reported - self._sent_segments >= SEGMENT_SECONDS:
            segments, self._unsent, self._sent_segments = tuple(self._unsent), [], self._reported
        self._send(Progress(self._stage, round(progress, 4), dict(self.facts), self._sent, segments))
        self._sent += len(segments)
