"""The messages between the supervisor and a device process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple

from app.core.params import P_co, Params


@dataclass(frozen=True)
class Slot:
    """One device that runs models.

    ``cuda_index`` is None on a CPU. With 0 ``threads``, the libraries choose.
    """

    number: int
    device: str
    cuda_index: int | None
    threads: int

    @property
    def name(self) -> str:
        return f"{self.device}-{self.number}"


class RunKey(NamedTuple):
    """The name of a run, in all messages about it."""

    uuid: str
    claim_no: int


@dataclass(frozen=True)
class Job(Generic[P_co]):
    """A claimed task; ``source`` is where the storage has the recording; inside a run, it is its local path.

    A recording of more than ``longest`` seconds is not for this process now: the run answers Returned. ``transcript`` is
    what an alignment places in the recording, as JSON text.
    """

    uuid: str
    claim_no: int
    task_type: str
    params: P_co
    warnings: list[str]
    source: str
    longest: float | None = None
    transcript: str | None = None

    @property
    def key(self) -> RunKey:
        return RunKey(self.uuid, self.claim_no)


@dataclass(frozen=True)
class Stop:
    """Stop a run at its next turn; it answers Ended."""

    key: RunKey


@dataclass(frozen=True)
class Ready:
    """The process is ready for Jobs."""


@dataclass(frozen=True)
class Warm:
    """All models that most tasks need are loaded, or were tried."""


@dataclass(frozen=True)
class Loading:
    """The process, or a run, loads ``model``; None: it has finished."""

    model: str | None


@dataclass(frozen=True)
class Progress:
    """Progress of a running task.

    ``progress`` is 0–1 over the whole task; ``facts`` are the columns of the row known so far. ``segments`` are new ones
    as JSON text, the first of which has the number ``first``.
    """

    stage: str
    progress: float
    facts: dict[str, Any] = field(default_factory=dict)
    first: int = 0
    segments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A finished task.

    ``result``, ``speaker_embeddings`` and ``speaker_turns`` are JSON text; ``duration`` is the execution time in seconds,
    ``stages`` the time of each stage without waiting.
    """

    result_type: str
    result: str
    warnings: list[str]
    duration: float
    facts: dict[str, Any]
    speaker_embeddings: str | None = None
    stages: dict[str, float] = field(default_factory=dict)
    speaker_turns: str | None = None


@dataclass(frozen=True)
class Failure:
    """A failed task.

    ``code`` is stable, ``message`` is for people, ``facts`` are the columns of the row known so far. ``duration`` is the
    execution time in seconds, None if unknown. ``again``: it counts as a crash, after which the task runs again.
    """

    code: str
    message: str
    warnings: list[str]
    duration: float | None
    facts: dict[str, Any]
    again: bool = False


@dataclass(frozen=True)
class Returned:
    """A run ended without a verdict: its recording of ``seconds`` is longer than the job's ``longest``."""

    seconds: float


@dataclass(frozen=True)
class Ended:
    """A run ended because it was stopped."""


@dataclass(frozen=True)
class Resident:
    """The memory of the process; sent before the verdict of each run."""

    megabytes: int


@dataclass(frozen=True)
class Said:
    """What a run says."""

    key: RunKey
    message: Loading | Progress | Outcome | Failure | Returned | Ended


@dataclass(frozen=True)
class Pulse:
    """The process is alive; sent regularly while it has runs.

    For each run, how many seconds it has waited for others, and whether it waits now.
    """

    waits: dict[RunKey, tuple[float, bool]]


Command = Job[Params] | Stop
Message = Ready | Warm | Loading | Resident | Said | Pulse
