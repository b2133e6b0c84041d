"""Progress is written once a second; a stage, a fact, the first segments and the last words at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from peewee import DataError, OperationalError

from app.core.db import partial, reports, tasks
from app.core.db.reports import Report
from app.core.db.states import VAD
from app.core.params import VadParams
from tests.app.rows import claimed, queued, row
from tests.workers.clock import Clock
from workers.device.protocol import Job, Progress
from workers.supervisor.assignment import Assignment
from workers.supervisor.reporter import WRITE_SECONDS, Reporter
from workers.supervisor.sharing import Running

pytestmark = pytest.mark.usefixtures("open_database")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reporter(clock: Clock) -> Reporter:
    return Reporter(clock)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """The stages in each call of ``reports.write``, and whether it skips the disk."""
    calls: list[tuple[list[str], bool]] = []
    write = reports.write

    def record(told: Sequence[Report], skip_disk: bool = False) -> None:
        write(told, skip_disk)
        calls.append(([report.stage for report in told], skip_disk))

    monkeypatch.setattr(reports, "write", record)
    return calls


def running(count: int = 1) -> list[Assignment]:
    for _ in range(count):
        queued()
    claims = [claimed() for _ in range(count)]
    return [Assignment(c, Job(c.uuid, c.claim_no, VAD, VadParams(), [], ""), Running()) for c in claims]


def shown(run: Assignment) -> tuple[str | None, float]:
    return row(run.claim.uuid).stage, row(run.claim.uuid).progress


def test_progress_of_all_runs_is_written_once_a_second(
    reporter: Reporter, clock: Clock, written: list[tuple[list[str], bool]]
) -> None:
    runs = running(3)
    for run in runs:
        run.record_progress(Progress("transcribe", 0.1))
    reporter.write_due(runs)
    for tenth in range(2, 8):
        clock.now += WRITE_SECONDS / 10
        for run in runs:
            run.record_progress(Progress("transcribe", tenth / 10))
        reporter.write_due(runs)
    assert [shown(run) for run in runs] == [("transcribe", 0.1)] * 3
    clock.now += WRITE_SECONDS
    reporter.write_due(runs)
    assert [shown(run) for run in runs] == [("transcribe", 0.7)] * 3
    assert written == [(["transcribe"] * 3, False), (["transcribe"] * 3, True)]
    clock.now += WRITE_SECONDS
    reporter.write_due(runs)
    assert len(written) == 2, "nothing is new"


@pytest.mark.parametrize(
    "news",
    [
        Progress("align", 0.2),
        Progress("vad", 0.2, {"audio_duration": 5.0}),
        Progress("vad", 0.2, segments=('{"id": 0}',)),
    ],
    ids=["stage", "fact", "first segments"],
)
def test_what_is_new_is_written_at_once_and_to_the_disk(
    reporter: Reporter, clock: Clock, written: list[tuple[list[str], bool]], news: Progress
) -> None:
    first, second = running(2)
    for run in (first, second):
        run.record_progress(Progress("vad", 0.1))
    reporter.write_due([first, second])
    clock.now += WRITE_SECONDS / 10
    first.record_progress(news)
    second.record_progress(Progress("vad", 0.9))
    reporter.write_due([first, second])
    assert written[1:] == [([news.stage], False)]
    assert (shown(first), shown(second)) == ((news.stage, 0.2), ("vad", 0.1))


def test_later_segments_wait_for_the_next_second_and_none_is_lost(
    reporter: Reporter, clock: Clock, written: list[tuple[list[str], bool]]
) -> None:
    (run,) = running()
    for number in range(4):
        run.record_progress(Progress("transcribe", number / 10, first=number, segments=(str(number),)))
        run.record_progress(Progress("transcribe", number / 10 + 0.05))
        reporter.write_due([run])
    assert partial.read(run.claim.uuid, run.claim.claim_no) == ["0"]
    clock.now += WRITE_SECONDS
    reporter.write_due([run])
    assert partial.read(run.claim.uuid, run.claim.claim_no) == ["0", "1", "2", "3"]
    assert [skipped for _, skipped in written] == [False, False]


def test_segments_start_over_with_a_run_that_does(reporter: Reporter) -> None:
    (run,) = running()
    run.record_progress(Progress("transcribe", 0.1, first=0, segments=("old", "older")))
    run.record_progress(Progress("transcribe", 0.1, first=0, segments=("new",)))
    reporter.write_due([run])
    assert partial.read(run.claim.uuid, run.claim.claim_no) == ["new"]


def test_last_report_of_a_run_without_a_result_is_written_before_its_verdict(reporter: Reporter, clock: Clock) -> None:
    (run,) = running()
    run.record_progress(Progress("transcribe", 0.1, first=0, segments=("0",)))
    reporter.write_due([run])
    run.record_progress(Progress("transcribe", 0.2, first=1, segments=("1",)))
    reporter.finish(run)
    reporter.write_due([])
    assert partial.read(run.claim.uuid, run.claim.claim_no) == ["0", "1"]


def test_outage_delays_reports_and_loses_none(
    reporter: Reporter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, ended = running(2)
    run.record_progress(Progress("transcribe", 0.1, {"language": "de"}, 0, ("0",)))
    ended.record_progress(Progress("vad", 0.4))
    reporter.finish(ended)
    with monkeypatch.context() as outage:
        outage.setattr(reports, "write", refuse(OperationalError("database is locked")))
        with pytest.raises(OperationalError):
            reporter.write_due([run])
    run.record_progress(Progress("align", 0.6, first=1, segments=("1",)))
    reporter.write_due([run])
    assert (shown(run), row(run.claim.uuid).language, shown(ended)) == (("align", 0.6), "de", ("vad", 0.4))
    assert partial.read(run.claim.uuid, run.claim.claim_no) == ["0", "1"]


def test_rejected_progress_costs_only_its_own_report(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = running(2)
    for run in (bad, good):
        run.record_progress(Progress("transcribe", 0.5))
    report = tasks.report

    def refusing(claim: Any, *arguments: Any, **facts: Any) -> bool:
        if claim == bad.claim:
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")
        return report(claim, *arguments, **facts)

    monkeypatch.setattr(reports, "write", refuse(DataError("no")))
    monkeypatch.setattr(tasks, "report", refusing)
    reporter.write_due([bad, good])
    assert (shown(bad), shown(good)) == ((None, 0.0), ("transcribe", 0.5))
    assert f"task {bad.claim.uuid}: its progress cannot be written" in caplog.text
    assert f"task {good.claim.uuid}: its" not in caplog.text
    monkeypatch.undo()
    bad.record_progress(Progress("align", 0.7))
    reporter.write_due([bad, good])
    assert shown(bad) == ("align", 0.7), "the next one is written again"


def refuse(error: Exception) -> Any:
    def refused(*_: Any, **__: Any) -> None:
        raise error

    return refused
