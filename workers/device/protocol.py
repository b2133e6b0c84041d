"""The messages between the supervisor and a device process; everything that crosses the Pipe is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Slot:
    """One place where models run. ``cuda_index`` is None on a CPU slot; ``threads`` 0 leaves the libraries' default."""

    number: int
    device: str
    cuda_index: int | None
    threads: int


@dataclass(frozen=True)
class Job:
    """A claimed task, ready to run: ``source`` is the path of the recording."""

    uuid: str
    claim_no: int
    task_type: str
    params: dict[str, Any]
    warnings: list[str]
    source: str


@dataclass(frozen=True)
class Ready:
    """The process has imported and loaded what it needs and waits for a Job."""


@dataclass(frozen=True)
class Loading:
    """``model`` is read from disk, or downloaded, from now on; None when that is over."""

    model: str | None


@dataclass(frozen=True)
class Progress:
    """``progress`` 0–1 over the whole task; ``facts`` are columns of the row known by now."""

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
    """A task that cannot be done: a stable code, a sentence for a person, what was known until then.

    ``duration`` is None when nobody measured it.
    """

    code: str
    message: str
    warnings: list[str]
    duration: float | None
    facts: dict[str, Any]


Message = Ready | Loading | Progress | Outcome | Failure
