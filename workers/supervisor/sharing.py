"""Decide which tasks share a device process, and what each loses when it ends.

A process runs several tasks. If it dies, each of them loses a run, so one that has lost a run before runs alone: it may
be the cause. It needs an empty process; while it waits for one, a process takes no new tasks and becomes empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

LONG_SECONDS = 600.0  # one place of each process is only for shorter recordings


@dataclass(frozen=True)
class Running:
    """A task in a process.

    ``audio_duration`` is None while unknown. ``longest`` is what it was claimed with: if its recording turns out to be
    longer, the task goes back to the queue.
    """

    crashes: int = 0
    audio_duration: float | None = None
    longest: float | None = None

    @property
    def is_long(self) -> bool:
        """Whether its recording is known to be long."""
        return self.audio_duration is not None and self.audio_duration > LONG_SECONDS

    @property
    def may_be_long(self) -> bool:
        return self.is_long or (self.audio_duration is None and self.longest is None)


@dataclass(frozen=True)
class Load:
    """What a process runs.

    ``retiring``: it uses more memory than workers.max_rss, and is replaced when it is empty.
    """

    running: tuple[Running, ...] = ()
    retiring: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a process may claim: the arguments of the same names of ``claims.claim``."""

    shared: bool = False
    longest: float | None = None


class Ending(Enum):
    """What becomes of a task whose process has ended."""

    STOPPED = "stopped"  # it was to end anyway: past its deadline, or no longer held
    LOST = "lost"  # its run counts as a crash
    RETURNED = "returned"  # to the queue at no cost


def judge_ending(is_stopped: bool, has_begun: bool, was_killed: bool) -> Ending:
    """Return what becomes of one task of a process that has ended.

    ``is_stopped``: the task itself was to end. ``was_killed``: the supervisor killed the process because of another task
    or a stop of the service; otherwise it died, and each task that had begun may be the cause.
    """
    if is_stopped:
        return Ending.STOPPED
    return Ending.LOST if has_begun and not was_killed else Ending.RETURNED


def choose_claims(loads: Sequence[Load], places: int, has_lone: bool) -> list[Wanted | None]:
    """Return for each process which task it may claim next, None for none.

    Each answer is for one task; ask again after a claim. ``places`` is how many tasks a process may run
    (workers.tasks_per_device). ``has_lone``: a task that has to run alone is ready.
    """
    emptied = _choose_emptied(loads) if has_lone and loads else None
    return [_choose_claim(load, places, load.retiring or number == emptied) for number, load in enumerate(loads)]


def _choose_emptied(loads: Sequence[Load]) -> int:
    """Return the number of the process that will soon be empty.

    It has the fewest tasks that may be long, then the fewest tasks. The process takes none of these, so the smallest
    count can only fall, also when another process becomes the one with the fewest.
    """
    return min(range(len(loads)), key=lambda number: (_count_long(loads[number]), len(loads[number].running)))


def _choose_claim(load: Load, places: int, emptied: bool) -> Wanted | None:
    if not load.running:
        return None if load.retiring else Wanted()
    if len(load.running) >= places or any(task.crashes for task in load.running):
        return None
    if emptied:  # beside a long task, short ones do not delay the end
        return Wanted(True, LONG_SECONDS) if any(task.is_long for task in load.running) else None
    # Not each time that one place is left: under load it always is the last one, and a long task would wait for ever.
    return Wanted(True, LONG_SECONDS if _count_long(load) >= places - 1 else None)


def _count_long(load: Load) -> int:
    return sum(task.may_be_long for task in load.running)
