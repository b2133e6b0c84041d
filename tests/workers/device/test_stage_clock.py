"""The time of each stage is measured."""

from __future__ import annotations

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
