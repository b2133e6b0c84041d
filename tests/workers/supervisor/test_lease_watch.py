"""Tasks are taken over only from supervisors that stopped renewing their leases or are known to be dead."""

from __future__ import annotations

import os

import pytest

from app.core.db.leases import Lease
from app.core.db.tasks import LEASE_SECONDS, Claim
from tests.workers.clock import Clock
from workers.supervisor.identity import make_name
from workers.supervisor.lease_watch import LeaseWatch
from workers.supervisor.unchanged import BLINK_SECONDS


def lease(expires: float = 50.0, uuid: str = "x", claim_no: int = 1, holder: str = "elsewhere") -> Lease:
    return Lease(Claim(uuid, claim_no, holder), expires)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> LeaseWatch:
    return LeaseWatch(is_only_supervisor=False, clock=clock)


def looks(watch: LeaseWatch, clock: Clock, *held: Lease, seconds: float, every: float = 5.0) -> list[Lease]:
    """Look every ``every`` seconds; the leases lost at the last look."""
    lost = watch.find_lost(held)
    for _ in range(round(seconds / every)):
        clock.now += every
        lost = watch.find_lost(held)
    return lost


def test_lease_not_renewed_for_thirty_seconds_is_lost(watch: LeaseWatch, clock: Clock) -> None:
    assert looks(watch, clock, lease(), seconds=LEASE_SECONDS) == []
    clock.now += 1
    assert watch.find_lost([lease()]) == [lease()]


def test_renewed_lease_is_never_lost(watch: LeaseWatch, clock: Clock) -> None:
    for renewal in range(100):
        assert looks(watch, clock, lease(float(renewal)), seconds=20) == []


def test_expiry_time_of_a_lease_does_not_matter(watch: LeaseWatch, clock: Clock) -> None:
    for expires in (0.0, 1e12):
        assert watch.find_lost([lease(expires)]) == []
    assert looks(watch, clock, lease(1e12), seconds=LEASE_SECONDS + 5) == [lease(1e12)]


def test_only_the_lease_that_is_not_renewed_is_lost(watch: LeaseWatch, clock: Clock) -> None:
    for renewal in range(8):
        lost = watch.find_lost([lease(uuid="still"), lease(float(renewal), uuid="alive")])
        clock.now += 5
    assert lost == [lease(uuid="still")]


def test_new_attempt_at_the_same_task_has_its_own_thirty_seconds(watch: LeaseWatch, clock: Clock) -> None:
    looks(watch, clock, lease(claim_no=1), seconds=LEASE_SECONDS)
    assert looks(watch, clock, lease(claim_no=2), seconds=LEASE_SECONDS) == []


def test_stopped_watcher_starts_counting_again(watch: LeaseWatch, clock: Clock) -> None:
    assert looks(watch, clock, lease(), seconds=25) == []
    clock.now += BLINK_SECONDS + 1  # while it was stopped, it could not see renewals
    assert looks(watch, clock, lease(), seconds=LEASE_SECONDS) == []
    assert looks(watch, clock, lease(), seconds=5) == [lease()]


def test_short_delay_between_checks_is_not_a_stop(watch: LeaseWatch, clock: Clock) -> None:
    assert looks(watch, clock, lease(), seconds=36, every=BLINK_SECONDS - 3) == [lease()]


def test_dead_holder_loses_its_lease_at_once(watch: LeaseWatch) -> None:
    parts = make_name().split("/")
    parts[4] = "1"  # a process of our pid that started at another time
    dead = lease(holder="/".join(parts))
    alive = lease(holder=make_name())
    assert int(parts[3]) == os.getpid()
    assert watch.find_lost([dead, alive, lease()]) == [dead]


def test_only_supervisor_takes_over_at_once(clock: Clock) -> None:
    assert LeaseWatch(is_only_supervisor=True, clock=clock).find_lost([lease()]) == [lease()]
