"""A lost task is retried after a pause, up to three attempts; a renewed lease keeps its task."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.db import claims, leases, tasks
from app.core.db.claims import LONGEST_PAUSE_SECONDS
from app.core.db.states import CANCELLED, FAILED, IN_PROGRESS, MAX_ATTEMPTS, MAX_LOST_NODES, QUEUED
from app.core.db.tasks import Claim, Task
from tests.app.rows import claimed, queued, row

pytestmark = pytest.mark.usefixtures("open_database")


def lost(claim: Claim, pause: float = 0.0) -> str | None:
    return leases.retry_or_fail(claim, "worker_crashed", "It died.", pause)


def taken(holder: str = "them") -> list[str | None]:
    return [leases.take_over(lease, "It is gone.", 0.0) for lease in leases.list_other_leases(holder)]


def test_lost_task_runs_again_only_after_its_pause() -> None:
    identifier = queued()
    assert lost(claimed(), pause=1000) == leases.REQUEUED
    waiting = row(identifier)
    assert (waiting.status, waiting.attempts, waiting.error, waiting.holder) == (QUEUED, 1, None, None)
    assert claims.claim("me") is None
    other = queued()
    assert claimed().uuid == other, "the pause delays no other task"
    Task.update(not_before=Task.not_before - 1000).execute()
    assert claimed().uuid == identifier
    assert (row(identifier).attempts, row(identifier).not_before) == (2, None)


def test_second_pause_is_twice_as_long() -> None:
    identifier = queued()
    pauses = []
    for _ in range(2):
        lost(claimed(), pause=600)
        pauses.append(float(row(identifier).not_before or 0) - float(row(identifier).created_at))
        Task.update(not_before=0).execute()
    assert pauses == pytest.approx([600, 1200], abs=20)


def test_pause_ends_when_the_clock_is_set_back() -> None:
    identifier = queued()
    lost(claimed(), pause=1000)
    Task.update(not_before=Task.not_before + LONGEST_PAUSE_SECONDS).execute()
    assert claimed().uuid == identifier


def test_third_lost_attempt_fails_the_task() -> None:
    identifier = queued()
    assert [lost(claimed()) for _ in range(MAX_ATTEMPTS)] == [leases.REQUEUED, leases.REQUEUED, leases.GIVEN_UP]
    ended = row(identifier)
    assert (ended.status, ended.error_code, ended.attempts) == (FAILED, "worker_crashed", MAX_ATTEMPTS)
    assert ended.error == "It died. Giving up after 3 attempts."
    assert ended.finished_at is not None and claims.claim("me") is None


def test_lost_node_costs_a_pause_and_an_attempt_but_no_crash() -> None:
    identifier = queued()
    assert leases.retry_elsewhere(claimed(), "It is gone.", 1000) == leases.REQUEUED
    waiting = row(identifier)
    assert (waiting.status, waiting.attempts, waiting.crashes, waiting.holder) == (QUEUED, 1, 0, None)
    assert claims.claim("me") is None, "it waits"
    Task.update(not_before=Task.not_before - 1000).execute()
    claimed()
    assert row(identifier).attempts == 2


def test_crashes_are_counted_apart_from_lost_nodes() -> None:
    identifier = queued()
    for _ in range(MAX_LOST_NODES - 1):
        assert leases.retry_elsewhere(claimed(), "It is gone.", 0.0) == leases.REQUEUED
    assert [lost(claimed()) for _ in range(MAX_ATTEMPTS)] == [leases.REQUEUED, leases.REQUEUED, leases.GIVEN_UP]
    assert row(identifier).attempts == MAX_LOST_NODES - 1 + MAX_ATTEMPTS


def test_task_that_kills_every_node_fails_with_the_tenth() -> None:
    identifier = queued()
    became = [leases.retry_elsewhere(claimed(), "It is gone.", 0.0, warnings="[]") for _ in range(MAX_LOST_NODES)]
    assert became == [leases.REQUEUED] * (MAX_LOST_NODES - 1) + [leases.GIVEN_UP]
    ended = row(identifier)
    assert (ended.status, ended.error_code, ended.attempts) == (FAILED, "worker_crashed", MAX_LOST_NODES)
    assert ended.error == "It is gone. Giving up after 10 lost nodes."


def test_stale_claim_cannot_lose_its_node() -> None:
    identifier = queued()
    stale = claimed("first")
    tasks.requeue(stale)
    claimed("second")
    assert leases.retry_elsewhere(stale, "It is gone.", 0.0) is None
    assert (row(identifier).status, row(identifier).holder, row(identifier).lost_nodes) == (IN_PROGRESS, "second", 0)


def test_requeue_costs_no_attempt() -> None:
    identifier = queued()
    for _ in range(MAX_ATTEMPTS + 2):
        tasks.requeue(claimed())
    assert (row(identifier).status, row(identifier).attempts) == (QUEUED, 0)
    claimed()
    assert row(identifier).attempts == 1


def test_stale_claim_cannot_lose_a_task() -> None:
    identifier = queued()
    stale = claimed("first")
    tasks.requeue(stale)
    claimed("second")
    assert lost(stale) is None
    assert (row(identifier).status, row(identifier).holder, row(identifier).crashes) == (IN_PROGRESS, "second", 0)


def test_only_tasks_of_other_holders_are_taken_over() -> None:
    mine, theirs = queued(), queued()
    claimed("me"), claimed("them")
    assert [lease.claim.uuid for lease in leases.list_other_leases("me")] == [theirs]
    assert taken("me") == [leases.REQUEUED]
    assert (row(mine).status, row(theirs).status, row(theirs).crashes) == (IN_PROGRESS, QUEUED, 1)


@pytest.mark.parametrize("meanwhile", ["renew", "complete", "cancel", "requeue"])
def test_task_is_not_taken_over_after_its_holder_has_acted(meanwhile: str) -> None:
    queued()
    claim = claimed("me")
    (seen,) = leases.list_other_leases("them")
    step: dict[str, Callable[[], object]] = {
        "renew": lambda: leases.renew("me"),
        "complete": lambda: tasks.complete(claim, "json", "[]", [], 1.0),
        "cancel": lambda: tasks.cancel(claim.uuid),
        "requeue": lambda: tasks.requeue(claim),
    }
    assert step[meanwhile]()
    before = row(claim.uuid).status
    assert leases.take_over(seen, "It is gone.", 0.0) is None
    assert row(claim.uuid).status == before


def test_renewal_extends_only_the_holders_leases() -> None:
    mine, theirs = queued(), queued()
    claimed("me"), claimed("them")
    Task.update(lease_expires=0).execute()
    assert leases.renew("me") == 1
    assert (row(mine).lease_expires or 0) > 0 and row(theirs).lease_expires == 0


def test_lost_and_cancelled_task_stays_cancelled() -> None:
    identifier = queued()
    claim = claimed()
    tasks.cancel(identifier)
    assert lost(claim) is None and taken() == []
    assert row(identifier).status == CANCELLED
