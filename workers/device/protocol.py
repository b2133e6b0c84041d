"""The messages between the supervisor and a device process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic

from app.core.params import P_co


@dataclass(frozen=True)
class Slot:
    """One device that runs models.

    ``cuda_index`` is None on a CPU. With 0 ``threads``, the libraries choose.
    """

    number: int
    device: str
    cuda_index: int | None
    threads: int


@dataclass(frozen=True)
class Job(Generic[P_co]):
    """A claimed task; ``source`` is the recording's path."""

    uuid: str
    claim_no: int
    task_type: str
    params: P_co
    warnings: list[str]
    source: str


@dataclass(frozen=True)
class Ready:
    """The process is ready for a Job."""


@dataclass(frozen=True)
class Loading:
    """The process loads ``model``; None: it has finished."""

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

    ``result`` and ``speaker_embeddings`` are JSON text; ``duration`` is the execution time in seconds, ``stages`` the time
    of each stage without waiting.
    """

    result_type: str
    result: str
    warnings: list[str]
    duration: float
    facts: dict[str, Any]
    speaker_embeddings: str | None = None
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A failed task.

    ``code`` is stable, ``message`` is for people, ``facts`` are the columns of the row known so far. ``duration`` is the
    execution time in seconds, None if unknown.
    """

    code: str
    message: str
    warnings: list[str]
    duration: float | None
    facts: dict[str, Any]


Message = Ready | Loading | Progress | Outcome | Failure
