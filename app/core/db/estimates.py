"""Estimate when tasks will end, from the measured rates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from app.core.db import heartbeats, rates
from app.core.db.claims import LONGEST_PAUSE_SECONDS
from app.core.db.connection import read_clock
from app.core.db.heartbeats import Devices
from app.core.db.queries import select_queue
from app.core.db.rates import Key
from app.core.db.states import DETECT_LANGUAGE, IN_PROGRESS, QUEUED
from app.core.db.tasks import Task
from app.core.remaining import measure_remaining, share_devices
from app.core.work import measure_amount, read_steps

Rates = Mapping[Key, float]


def estimate_seconds(rows: Sequence[Task]) -> dict[int, float]:
    """Estimate the seconds until each task ends.

    The keys are row ids. Tasks that have ended are left out, and those that depend on work of unknown extent.
    """
    unended = {row.id for row in rows if row.status in (QUEUED, IN_PROGRESS)}
    waiting = {row.id: (row.lane, row.id) for row in rows if row.status == QUEUED}
    measured = rates.read() if unended else {}
    devices = heartbeats.list_devices() if measured else {}
    if not devices:
        return {}
    remaining = _find_remaining(devices, measured)
    ends: dict[int, float] = {}
    for holder, running in remaining.items():
        ends |= share_devices(running, devices[holder].count)
    if waiting:
        everywhere = [left for running in remaining.values() for left in running.values()]
        ends |= _estimate_queue(waiting, everywhere, devices, measured)
    return {number: round(ends[number], 1) for number in unended if number in ends}


def _find_remaining(devices: Mapping[str, Devices], measured: Rates) -> dict[str, dict[int, float | None]]:
    """Find the work that is left of the running tasks, by supervisor and row id; None if it is unknown."""
    columns = (Task.id, Task.holder, Task.task_type, Task.work, Task.audio_duration, Task.stage, Task.progress)
    rows: Any = Task.select(*columns).where(Task.status == IN_PROGRESS).tuples()
    remaining: dict[str, dict[int, float | None]] = defaultdict(dict)
    for number, holder, task_type, work, audio_duration, stage, progress in rows:
        if holder not in devices:  # it has died or does not respond, and the task may have to start again
            continue
        amount = measure_amount(task_type, audio_duration)
        speed = _find_speed(task_type, work, devices[holder].kind, measured)
        left = None if speed is None else measure_remaining(read_steps(work), speed, stage, progress)
        remaining[holder][number] = None if left is None or amount is None else left * amount
    return remaining


def _estimate_queue(
    waiting: Mapping[int, tuple[int, int]],
    running: Sequence[float | None],
    devices: Mapping[str, Devices],
    measured: Rates,
) -> dict[int, float]:
    """Estimate when waiting tasks will end: each one starts when the devices have done all that is ahead of it.

    ``waiting`` maps row ids to places (lane and row id), ``running`` is the work that is left of the running tasks.
    """
    kinds = {each.kind for each in devices.values()}
    if len(kinds) > 1 or None in running:  # with several kinds, it is not known which one a task will get
        return {}
    (kind,) = kinds
    count = sum(each.count for each in devices.values())
    backlog = sum(left for left in running if left is not None)
    find_speed = cache(lambda task_type, work: _find_speed(task_type, work, kind, measured))  # most of them are alike
    ends = {}
    for number, not_before, task_type, work, audio_duration in _read_queue(max(waiting.values())):
        speed, amount = find_speed(task_type, work), measure_amount(task_type, audio_duration)
        if speed is None or amount is None:
            break
        own = sum(speed) * amount
        if number in waiting:
            ends[number] = max(backlog / count, _measure_pause(not_before)) + own
        backlog += own
    return ends


def _find_speed(task_type: str, work: str, kind: str, measured: Rates) -> list[float] | None:
    """Return the rates of a task's steps on devices of ``kind``; None if one has not been measured."""
    steps = read_steps(work)
    found = [measured.get(Key(task_type, step.stage, step.model, kind)) for step in steps]
    known = [rate for rate in found if rate is not None]
    return known if steps and len(known) == len(steps) else None


def _read_queue(last: tuple[int, int]) -> Any:
    """Read the queue up to the place ``last``, but not beyond the first task of unknown length."""
    is_unknown = Task.audio_duration.is_null() & (Task.task_type != DETECT_LANGUAGE)
    first = Task.select(Task.lane, Task.id).where((Task.status == QUEUED) & is_unknown)
    places: Any = first.order_by(Task.lane, Task.id).limit(1).tuples()
    last = min([last, *places])
    return select_queue(last, Task.id, Task.not_before, Task.task_type, Task.work, Task.audio_duration)


def _measure_pause(not_before: float | None) -> float:
    """Return how long a task must still pause after a crash, in seconds."""
    pause = 0.0 if not_before is None else not_before - read_clock()
    return pause if 0.0 < pause <= LONGEST_PAUSE_SECONDS else 0.0
