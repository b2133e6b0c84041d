"""Compute how long tasks will take, from the work that is left.

Work is the seconds that a task would take alone on its device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.work import Step


def measure_remaining(
    steps: Sequence[Step], rates: Sequence[float], stage: str | None, progress: float
) -> float | None:
    """Return the work that is left of a task, by its current stage and its progress (0–1).

    ``rates``: the seconds of each step per second of audio; so is the result. None if the stage is not among the steps.
    """
    if stage is None:
        return sum(rates)
    begin = 0.0
    for number, step in enumerate(steps):
        if step.stage == stage:
            # A second run shows the progress of the first one until it has passed it: its own is not known.
            done = 0.0 if progress > step.until else max(0.0, (progress - begin) / (step.until - begin))
            return rates[number] * (1.0 - done) + sum(rates[number + 1 :])
        begin = step.until
    return None


def share_devices(remaining: Mapping[int, float | None], devices: int) -> dict[int, float]:
    """Return the seconds until each task ends, if all share the devices equally (processor sharing).

    A task uses one device at a time. One with unknown work has no time itself; it counts as longer than all others.
    """
    ends: dict[int, float] = {}
    passed = moment = 0.0
    known = sorted((left, number) for number, left in remaining.items() if left is not None)
    for ended, (left, number) in enumerate(known):
        moment += (left - passed) * max(1.0, (len(remaining) - ended) / devices)
        passed, ends[number] = left, moment
    return ends
