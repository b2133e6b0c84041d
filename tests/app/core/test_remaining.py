"""The work that is left of a task, and its end when devices are shared."""

from __future__ import annotations

import pytest

from app.core.remaining import measure_remaining, share_devices
from app.core.work import Step

STEPS = (Step("decode", "", 0.05), Step("transcribe", "base int8", 0.8), Step("align", "", 1.0))
RATES = (0.01, 0.3, 0.1)


@pytest.mark.parametrize(
    ("stage", "progress", "left"),
    [
        (None, 0.0, 0.41),  # claimed, nothing has begun
        ("decode", 0.0, 0.41),
        ("decode", 0.025, 0.405),
        ("transcribe", 0.05, 0.4),
        ("transcribe", 0.425, 0.25),  # half of it: what counts are the rates, not the shares of the progress
        ("align", 0.8, 0.1),
        ("align", 0.95, 0.025),
        ("align", 1.0, 0.0),
        ("transcribe", 0.9, 0.4),  # the progress is that of an earlier run, which got further
        ("align", 0.6, 0.1),  # the stage before it had nothing to do
        ("diarize", 0.5, None),
    ],
)
def test_finished_stages_count_nothing_and_the_current_one_in_part(
    stage: str | None, progress: float, left: float | None
) -> None:
    assert measure_remaining(STEPS, RATES, stage, progress) == (left and pytest.approx(left))


@pytest.mark.parametrize(
    ("remaining", "devices", "ends"),
    [
        ({1: 10.0}, 1, {1: 10.0}),
        ({1: 10.0}, 4, {1: 10.0}),  # a task uses one device at a time
        ({1: 10.0, 2: 10.0}, 1, {1: 20.0, 2: 20.0}),
        ({1: 10.0, 2: 2.0}, 1, {1: 12.0, 2: 4.0}),  # half the speed until the shorter one ends
        ({1: 10.0, 2: 2.0}, 2, {1: 10.0, 2: 2.0}),
        ({1: 1.0, 2: 2.0, 3: 3.0}, 1, {1: 3.0, 2: 5.0, 3: 6.0}),
        ({1: 2.0, 2: 2.0, 3: 4.0}, 2, {1: 3.0, 2: 3.0, 3: 5.0}),
        ({1: 10.0, 2: None}, 1, {1: 20.0}),  # unknown work shares the device for the whole time
        ({1: 0.0, 2: 5.0}, 1, {1: 0.0, 2: 5.0}),
        ({}, 1, {}),
    ],
)
def test_running_tasks_share_the_devices_until_the_shorter_ones_end(
    remaining: dict[int, float | None], devices: int, ends: dict[int, float]
) -> None:
    assert share_devices(remaining, devices) == pytest.approx(ends)
