"""The time of each stage is measured, without waiting."""

from __future__ import annotations

import pytest

from tests.workers.clock import Clock
from workers.device.stage_clock import StageClock


def test_each_stage_has_its_time() -> None:
    clock = Clock()
    clock.now = 7.0
    stages = StageClock(clock)
    for stage, seconds in (("decode", 0.5), ("transcribe", 4.0), ("align", 1.0)):
        stages.enter(stage)
        clock.now += seconds
    assert stages.read() == {"decode": 0.5, "transcribe": 4.0, "align": 1.0}
    clock.now += 9.0
    assert stages.read()["align"] == 1.0


def test_time_of_waiting_is_left_out() -> None:
    clock = Clock()
    stages = StageClock(clock)
    stages.pause(3.0)  # before the first stage
    stages.enter("transcribe")
    clock.now += 4.0
    stages.pause(1.5)
    stages.enter("align")
    clock.now += 1.0
    stages.pause(1.1)  # rounding errors make no time negative
    assert stages.read() == {"transcribe": pytest.approx(2.5), "align": 0.0}
