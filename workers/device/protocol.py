"""The messages between the supervisor and a device process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app.core.params import Params

P_co = TypeVar("P_co", bound=Params, covariant=True)


@dataclass(frozen=True)
class Slot:
    """One device that runs models. ``cuda_index`` is None on a CPU; ``threads`` 0 keeps the libraries' default."""

    number: int
    device: str
    cuda_index: int | None
    threads: int


@dataclass(frozen=True)
class Job(Generic[P_co]):
    """A claimed task, ready to run; ``source`` is the path of the recording."""

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
    """The process loads ``model``, or with None has finished loading."""

    model: str | None


@dataclass(frozen=True)
class Progress:
    """``progress`` is 0–1 over the whole task; ``facts`` are columns of the row known so far."""

    stage: str
    progress: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """A finished task: ``result`` and ``speaker_embeddings`` are JSON text, ``duration`` is seconds of execution."""

    result_type: str
    result: str
    warnings: list[str]
    duration: float
    facts: dict[str, Any]
    speaker_embeddings: str | None = None


@dataclass(frozen=True)
class Failure:
    """A failed task: a stable code, a message for people, and the columns known so far.

    ``duration`` is seconds of execution, None when unknown.
    """

    code: str
    message: str
    warnings: list[str]
    duration: float | None
    facts: dict[str, Any]


Message = Ready | Loading | Progress | Outcome | Failure
