"""The task row: claimed once, fenced by attempt and owner, terminal for good."""

from __future__ import annotations

import pytest

from app.ledger import age, reading, task
from app.ledger.states import CANCELLED, COMPLETED, QUEUED
from app.ledger.task import Task
from tests.app.ledgers import claimed, queued, row

pytestmark = pytest.mark.usefixtures("ledger")


def test_oldest_task_is_claimed_first() -> None:
    first, second = queued(), queued()
    assert [claimed().uuid, claimed().uuid] == [first, second]
    assert task.claim("me") is None


def test_queue_position_counts_down() -> None:
    first, second = queued(), queued()
    assert (reading.queue_position(row(first)), reading.queue_position(row(second))) == (1, 2)
    claimed()
    assert (reading.queue_position(row(first)), reading.queue_position(row(second))) == (None, 1)


def test_completion_commits_once() -> None:
    identifier = queued()
    claim = claimed()
    assert task.complete(claim, "json", "[1]", ["w"], 1.5, language="en")
    assert not task.complete(claim, "json", "[2]", [], 1.5)
    assert not task.fail(claim, "x", "y", [], None)
    done = row(identifier)
    assert (done.status, done.result, done.progress, done.duration, done.language) == (COMPLETED, "[1]", 1.0, 1.5, "en")
    assert done.finished_at is not None and done.started_at is not None and done.finished_at >= done.started_at


def test_stale_attempt_changes_nothing() -> None:
    identifier = queued()
    stale = claimed("first")
    assert task.requeue(stale)
    fresh = claimed("second")
    assert fresh.attempt == stale.attempt + 1
    assert not task.report(stale, "decode", 0.5)
    assert not task.complete(stale, "json", "[]", [], 1.0)
    assert not task.requeue(stale)
    assert row(identifier).owner == "second"


def test_the_same_owner_is_fenced_off_by_its_earlier_attempt() -> None:
    queued()
    stale = claimed()
    task.requeue(stale)
    fresh = claimed()
    assert not task.complete(stale, "json", "[1]", [], 1.0)
    assert task.complete(fresh, "json", "[2]", [], 1.0)


def test_progress_never_falls_not_even_in_a_second_attempt() -> None:
    identifier = queued()
    claim = claimed()
    task.report(claim, "transcribe", 0.7)
    task.report(claim, "transcribe", 0.3)
    assert row(identifier).progress == 0.7
    task.requeue(claim)
    task.report(claimed(), "decode", 0.0)
    assert (row(identifier).progress, row(identifier).stage) == (0.7, "decode")


def test_requeue_keeps_the_place_in_the_queue() -> None:
    first, second = queued(), queued()
    claim = claimed()
    task.requeue(claim)
    assert row(first).status == QUEUED and row(first).crashes == 0
    assert [claimed().uuid, claimed().uuid] == [first, second]


def test_purgeable_are_finished_tasks_whose_time_is_over() -> None:
    old, fresh, _running = queued(), queued(), queued()
    task.complete(claimed(), "json", "[]", [], 1.0)
    task.complete(claimed(), "json", "[]", [], 1.0)
    claimed()
    Task.update(finished_at=Task.finished_at - 1000).where(Task.uuid == old).execute()
    assert age.purgeable(600, 10) == [old]
    age.purged(old)
    assert age.purgeable(600, 10) == []
    assert row(fresh).files_purged_at is None


def test_purge_is_noted_once_and_never_of_a_live_task() -> None:
    identifier = queued()
    assert not age.purged(identifier)
    task.complete(claimed(), "json", "[]", [], 1.0)
    assert age.purged(identifier) and not age.purged(identifier)


def test_only_ended_tasks_are_forgotten() -> None:
    old, live = queued(), queued()
    task.complete(claimed(), "json", "[]", [], 1.0)
    Task.update(finished_at=0).where(Task.uuid == old).execute()
    assert age.forgettable(600, 10) == [old]
    assert age.forget(old) and not age.forget(old) and not age.forget(live)
    assert task.get(old) is None and row(live).status == QUEUED


def test_waiting_task_is_cancelled_at_once() -> None:
    identifier, other = queued(), queued()
    assert task.cancel(identifier)
    assert (row(identifier).status, row(identifier).duration, row(identifier).error) == (CANCELLED, None, None)
    assert row(identifier).finished_at is not None
    assert claimed().uuid == other and task.claim("me") is None


def test_running_task_is_cancelled_and_its_holder_writes_nothing_more() -> None:
    identifier = queued()
    claim = claimed()
    assert task.held("me") == {(identifier, 1)} and task.held("them") == set()
    assert task.cancel(identifier)
    assert task.held("me") == set()
    assert not task.report(claim, "decode", 0.5)
    assert not task.complete(claim, "json", "[]", [], 1.0)
    assert not task.fail(claim, "x", "y", [], None)
    assert not task.requeue(claim)
    ended = row(identifier)
    assert (ended.status, ended.result, ended.stage, ended.owner) == (CANCELLED, None, None, None)
    assert ended.duration is not None and 0 <= ended.duration < 60


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_ended_task_is_not_cancelled(end: str) -> None:
    identifier = queued()
    claim = claimed()
    if end == "complete":
        task.complete(claim, "json", "[]", [], 1.0)
    elif end == "fail":
        task.fail(claim, "x", "y", [], None)
    else:
        task.cancel(identifier)
    before = row(identifier).status
    assert not task.cancel(identifier)
    assert row(identifier).status == before


def test_deletion_happens_once_in_any_state() -> None:
    waiting, running = queued(), queued()
    Task.update(id=Task.id + 10).where(Task.uuid == waiting).execute()
    claim = claimed()
    assert claim.uuid == running
    assert task.delete(running) and not task.delete(running) and task.delete(waiting)
    assert not task.complete(claim, "json", "[]", [], 1.0)
    assert Task.select().count() == 0


def test_cancelling_or_deleting_what_is_not_there_changes_nothing() -> None:
    queued()
    assert not task.cancel("none") and not task.delete("none")
    assert Task.select().count() == 1


def test_facts_leave_the_result_in_the_ledger() -> None:
    identifier = queued()
    task.complete(claimed(), "json", "[1]", ["w"], 1.0)
    facts = reading.facts(identifier)
    assert facts is not None and (facts.status, facts.warnings, facts.result) == (COMPLETED, '["w"]', None)
    assert [found.result for found in reading.listed(5)] == [None]
    assert reading.facts("none") is None and reading.facts("\0") is None


def test_place_in_the_queue_of_one_that_is_just_being_claimed_is_the_first() -> None:
    identifier = queued()
    seen = row(identifier)
    claimed()
    assert reading.queue_position(seen) == 1
