"""The progress of several tasks is written in one statement, for those that are still held."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from app.core.db import connection, partial, reports, tasks
from app.core.db.reports import FACTS, Report
from tests.app.rows import claimed, queued, row

pytestmark = pytest.mark.usefixtures("open_database")


def test_reports_of_several_tasks_take_one_statement(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = [queued() for _ in range(3)]
    claims = [claimed() for _ in range(3)]
    tasks.report(claims[1], "decode", 0.6, language="de")
    before = [row(identifier).changes for identifier in (first, second, third)]
    with caplog.at_level(logging.DEBUG, "peewee"):
        reports.write(
            [
                Report(claims[2], "vad", 0.1),
                Report(claims[0], "transcribe", 0.5, facts={"audio_duration": 12.5, "media_type": "audio/wav"}),
                Report(claims[1], "align", 0.3, facts={"segments_changed": True}),
            ]
        )
    assert sum("UPDATE" in str(record.msg) for record in caplog.records) == 1
    read = [row(identifier) for identifier in (first, second, third)]
    assert [(each.stage, each.progress) for each in read] == [("transcribe", 0.5), ("align", 0.6), ("vad", 0.1)]
    assert [(each.language, each.audio_duration) for each in read] == [(None, 12.5), ("de", None), (None, None)]
    assert [(each.media_type, each.segments_changed) for each in read] == [
        ("audio/wav", None),
        (None, True),
        (None, None),
    ]
    assert [each.changes for each in read] == [count + 1 for count in before]


def test_report_of_an_earlier_claim_changes_nothing_beside_others() -> None:
    identifier, other = queued(), queued()
    stale, held = claimed("second"), claimed("second")
    tasks.requeue(stale)
    fresh = claimed("second")
    foreign = replace(fresh, holder="first")
    cancelled = claimed("second") if queued() else held
    tasks.cancel(cancelled.uuid)
    told = [Report(claim, "vad", 0.5, 0, ('{"id": 0}',)) for claim in (stale, foreign, held, cancelled)]
    reports.write(told)
    assert (row(identifier).stage, row(identifier).progress) == (None, 0.0)
    assert (row(other).stage, row(other).progress, partial.read(other, held.claim_no)) == ("vad", 0.5, ['{"id": 0}'])
    assert row(cancelled.uuid).stage is None
    assert [partial.read(claim.uuid, claim.claim_no) for claim in (stale, fresh, cancelled)] == [[], [], []]


def test_segments_go_on_from_the_number_that_a_report_names() -> None:
    queued()
    claim = claimed()
    reports.write([Report(claim, "transcribe", 0.1, 0, ("0", "1"))])
    reports.write([Report(claim, "transcribe", 0.2, 2, ("2",))], skip_disk=True)
    assert partial.read(claim.uuid, claim.claim_no) == ["0", "1", "2"]
    reports.write([Report(claim, "transcribe", 0.2, 0, ("again",))])
    assert partial.read(claim.uuid, claim.claim_no) == ["again"], "a run that starts over shows its segments again"


def test_segments_whose_insert_was_not_answered_do_not_lose_later_ones() -> None:
    identifier = queued()
    claim = claimed()
    for segments in (("a",), ("b",), ("b", "c")):  # the last one is sent again, together with a new one
        reports.write([Report(claim, "transcribe", 0.5, 0 if segments == ("a",) else 1, segments)])
    assert partial.read(identifier, claim.claim_no) == ["a", "b", "c"]


def test_more_reports_than_fit_into_a_statement_are_all_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_ROWS", 2)
    identifiers = [queued() for _ in range(5)]
    reports.write([Report(claimed(), "vad", 0.5) for _ in identifiers])
    assert {row(identifier).progress for identifier in identifiers} == {0.5}


def test_nothing_to_report_needs_no_statement(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "peewee"):
        reports.write([])
    assert not caplog.records


def test_unknown_fact_is_refused_with_its_name() -> None:
    queued()
    with pytest.raises(KeyError, match="loudness"):
        reports.write([Report(claimed(), "vad", 0.5, facts={"loudness": -23.0})])


def test_facts_are_columns_of_the_task() -> None:
    assert FACTS.keys() <= tasks.Task._meta.fields.keys()


def test_only_what_may_be_lost_skips_the_disk(database_url: str) -> None:
    on_sqlite = database_url.startswith("sqlite")
    ask = "PRAGMA synchronous" if on_sqlite else "SHOW synchronous_commit"
    usual, relaxed = (2, 1) if on_sqlite else ("on", "off")

    def read() -> object:
        return connection.database.execute_sql(ask).fetchone()[0]

    assert read() == usual
    with pytest.raises(ZeroDivisionError), connection.skip_sync():
        assert read() == relaxed
        raise ZeroDivisionError
    assert read() == usual
