"""Progress rises over the stages and is reported at most five times a second."""

from __future__ import annotations

import itertools
from typing import Any

from app.core.params import VadParams
from app.core.settings import Settings
from tests.workers.clock import Clock
from workers.device.device import Device
from workers.device.protocol import Job, Progress, Slot
from workers.device.run import Run
from workers.models.cache import WarmModels

SLOT = Slot(0, "cpu", None, 1)


def started(sent: list[Progress], clock: Clock) -> Run:
    job = Job("u", 1, "vad", VadParams(), ["said before"], "source")
    settings = Settings()
    return Run(job, SLOT, settings, WarmModels(SLOT, settings), sent.append, clock)


def test_stages_share_the_progress() -> None:
    sent: list[Progress] = []
    clock = Clock()
    run = started(sent, clock)
    run.enter("decode", until=0.2)
    clock.now += 1
    run.advance(0.5)
    run.enter("transcribe", until=1.0)
    clock.now += 1
    run.advance(0.5)
    assert [(p.stage, p.progress) for p in sent] == [
        ("decode", 0.0),
        ("decode", 0.1),
        ("transcribe", 0.2),
        ("transcribe", 0.6),
    ]


def test_progress_is_reported_at_most_five_times_a_second() -> None:
    sent: list[Progress] = []
    clock = Clock()
    run = started(sent, clock)
    run.enter("transcribe", until=1.0)
    for step in range(1000):
        clock.now = step / 1000
        run.advance(step / 1000)
    assert len(sent) <= 6


def test_advance_beyond_the_end_stays_inside_the_stage() -> None:
    sent: list[Progress] = []
    clock = Clock()
    run = started(sent, clock)
    run.enter("decode", until=0.2)
    clock.now += 1
    run.advance(7.0)
    assert sent[-1].progress == 0.2


def test_facts_are_sent_with_the_next_report() -> None:
    sent: list[Progress] = []
    run = started(sent, Clock())
    run.add_facts(language="en")
    run.enter("align", until=1.0)
    assert sent[-1].facts == {"language": "en"}


def test_a_warning_is_given_once_and_earlier_ones_stay() -> None:
    run = started([], Clock())
    run.warn("new")
    run.warn("new")
    assert run.warnings == ["said before", "new"]
    job_warnings: list[Any] = run.job.warnings
    assert job_warnings == ["said before"]


def test_segments_are_sent_at_most_once_a_second_and_counted_on() -> None:
    sent: list[Progress] = []
    clock = Clock()
    run = started(sent, clock)
    run.enter("transcribe", until=1.0)
    for step in range(40):  # ten seconds
        run.show([str(step)])
        clock.now = (step + 1) / 4
        run.advance(step / 40)
    with_segments = [report for report in sent if report.segments]
    assert 9 <= len(with_segments) <= 11
    assert [report.first for report in with_segments] == list(
        itertools.accumulate((len(report.segments) for report in with_segments[:-1]), initial=0)
    )
    shown = [segment for report in with_segments for segment in report.segments]
    assert shown == [str(step) for step in range(len(shown))] and len(shown) > 35


def test_result_is_compared_with_what_was_shown() -> None:
    run = started([], Clock())
    run.show(["a", "b"])
    run.compare_with_shown(iter(["a", "b"]))
    assert run.facts["segments_changed"] is False
    run.compare_with_shown(iter(["a", "c"]))
    assert run.facts["segments_changed"] is True


def test_time_of_a_stage_is_without_waiting_and_loading() -> None:
    clock = Clock()
    device = Device(SLOT, Settings().workers, clock)
    job = Job("u", 1, "vad", VadParams(), [], "source")
    run = Run(job, SLOT, Settings(), WarmModels(SLOT, Settings()), [].append, clock, device=device)
    run.enter("vad", until=1.0)
    clock.now += 4.0
    with device.turns.wait_for_others(run.share):
        clock.now += 2.0
    run.models.tell("whisper base")
    clock.now += 8.0
    run.models.tell(None)
    clock.now += 1.0
    assert run.stage_clock.read() == {"vad": 5.0}
