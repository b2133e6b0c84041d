"""A task is claimed once, changed only by its current claim, and never leaves a final state."""

from __future__ import annotations

import pytest

from app.core.db import claims, queries, retention, tasks
from app.core.db.states import CANCELLED, COMPLETED, QUEUED
from app.core.db.tasks import Task
from tests.app.rows import claimed, queued, row, stored_result

pytestmark = pytest.mark.usefixtures("open_database")


def test_oldest_task_is_claimed_first() -> None:
    first, second = queued(), queued()
    assert [claimed().uuid, claimed().uuid] == [first, second]
    assert claims.claim("me") is None


def test_queue_position_counts_down() -> None:
    first, second = queued(), queued()
    assert (queries.queue_position(row(first)), queries.queue_position(row(second))) == (1, 2)
    claimed()
    assert (queries.queue_position(row(first)), queries.queue_position(row(second))) == (None, 1)


def test_task_is_completed_once() -> None:
    identifier = queued()
    claim = claimed()
    assert tasks.complete(claim, "json", "[1]", ["w"], 1.5, language="en")
    assert not tasks.complete(claim, "json", "[2]", [], 1.5)
    assert not tasks.fail(claim, "x", "y", [], None)
    done = row(identifier)
    assert (done.status, done.progress, done.duration, done.language) == (COMPLETED, 1.0, 1.5, "en")
    assert stored_result(identifier) == "[1]"
    assert done.finished_at is not None and done.started_at is not None and done.finished_at >= done.started_at


def test_stale_attempt_changes_nothing() -> None:
    identifier = queued()
    stale = claimed("first")
    assert tasks.requeue(stale)
    fresh = claimed("second")
    assert fresh.claim_no == stale.claim_no + 1
    assert not tasks.report(stale, "decode", 0.5)
    assert not tasks.complete(stale, "json", "[]", [], 1.0)
    assert not tasks.requeue(stale)
    assert row(identifier).holder == "second"


def test_earlier_attempt_of_the_same_holder_changes_nothing() -> None:
    queued()
    stale = claimed()
    tasks.requeue(stale)
    fresh = claimed()
    assert not tasks.complete(stale, "json", "[1]", [], 1.0)
    assert tasks.complete(fresh, "json", "[2]", [], 1.0)


def test_progress_never_falls_even_in_a_second_attempt() -> None:
    identifier = queued()
    claim = claimed()
    tasks.report(claim, "transcribe", 0.7)
    tasks.report(claim, "transcribe", 0.3)
    assert row(identifier).progress == 0.7
    tasks.requeue(claim)
    tasks.report(claimed(), "decode", 0.0)
    assert (row(identifier).progress, row(identifier).stage) == (0.7, "decode")


def test_requeue_keeps_the_place_in_the_queue() -> None:
    first, second = queued(), queued()
    claim = claimed()
    tasks.requeue(claim)
    assert row(first).status == QUEUED and row(first).crashes == 0
    assert [claimed().uuid, claimed().uuid] == [first, second]


def test_finished_tasks_are_purgeable_after_their_ttl() -> None:
    old, fresh, _running = queued(), queued(), queued()
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    claimed()
    Task.update(finished_at=Task.finished_at - 1000).where(Task.uuid == old).execute()
    assert retention.list_purgeable(600, 10) == [old]
    retention.mark_purged(old)
    assert retention.list_purgeable(600, 10) == []
    assert row(fresh).files_purged_at is None


def test_purge_is_recorded_once_and_only_for_finished_tasks() -> None:
    identifier = queued()
    assert not retention.mark_purged(identifier)
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    assert retention.mark_purged(identifier) and not retention.mark_purged(identifier)


def test_only_expired_tasks_are_deleted() -> None:
    old, live = queued(), queued()
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    Task.update(finished_at=0).where(Task.uuid == old).execute()
    assert retention.list_expired(600, 10) == [old]
    assert retention.delete_ended(old) and not retention.delete_ended(old) and not retention.delete_ended(live)
    assert tasks.get(old) is None and row(live).status == QUEUED


def test_waiting_task_is_cancelled_at_once() -> None:
    identifier, other = queued(), queued()
    assert tasks.cancel(identifier)
    assert (row(identifier).status, row(identifier).duration, row(identifier).error) == (CANCELLED, None, None)
    assert row(identifier).finished_at is not None
    assert claimed().uuid == other and claims.claim("me") is None


def test_running_task_is_cancelled_and_its_holder_changes_nothing_more() -> None:
    identifier = queued()
    claim = claimed()
    assert tasks.list_held("me") == {(identifier, 1)} and tasks.list_held("them") == set()
    assert tasks.cancel(identifier)
    assert tasks.list_held("me") == set()
    assert not tasks.report(claim, "decode", 0.5)
    assert not tasks.complete(claim, "json", "[]", [], 1.0)
    assert not tasks.fail(claim, "x", "y", [], None)
    assert not tasks.requeue(claim)
    ended = row(identifier)
    assert (ended.status, ended.stage, ended.holder) == (CANCELLED, None, None)
    assert stored_result(identifier) is None
    assert ended.duration is not None and 0 <= ended.duration < 60


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_ended_task_is_not_cancelled(end: str) -> None:
    identifier = queued()
    claim = claimed()
    if end == "complete":
        tasks.complete(claim, "json", "[]", [], 1.0)
    elif end == "fail":
        tasks.fail(claim, "x", "y", [], None)
    else:
        tasks.cancel(identifier)
    before = row(identifier).status
    assert not tasks.cancel(identifier)
    assert row(identifier).status == before


def test_task_in_any_state_is_deleted_once() -> None:
    waiting, running = queued(), queued()
    Task.update(id=Task.id + 10).where(Task.uuid == waiting).execute()
    claim = claimed()
    assert claim.uuid == running
    assert tasks.delete(running) and not tasks.delete(running) and tasks.delete(waiting)
    assert not tasks.complete(claim, "json", "[]", [], 1.0)
    assert Task.select().count() == 0


def test_cancelling_or_deleting_an_unknown_task_changes_nothing() -> None:
    queued()
    assert not tasks.cancel("none") and not tasks.delete("none")
    assert Task.select().count() == 1


def test_identifier_with_a_nul_is_unknown() -> None:
    assert tasks.get("none") is None and tasks.get("\0") is None


def test_task_claimed_in_the_meantime_has_queue_position_1() -> None:
    identifier = queued()
    seen = row(identifier)
    claimed()
    assert queries.queue_position(seen) == 1
