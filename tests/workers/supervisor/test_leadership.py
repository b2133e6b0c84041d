"""One supervisor leads; the next one follows when it ends, also by a broken connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from app.core.db import connection
from app.core.db.leader_lock import LEADER_LOCK, LeaderLock
from tests.postgres import Postgres
from tests.service import until
from workers.supervisor import leadership
from workers.supervisor.leadership import Leadership

BREAK = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"


@pytest.fixture
def address(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(leadership, "ASK_SECONDS", 0.02)
    monkeypatch.setattr(leadership, "CHECK_SECONDS", 0.05)
    return postgres.database("led")


@pytest.fixture
def start(address: str) -> Iterator[Callable[..., tuple[Leadership, threading.Event]]]:
    """Start a supervisor that wants to lead; the event says that it does."""
    started: list[Leadership] = []

    def start(lose: Callable[[], None] = lambda: None) -> tuple[Leadership, threading.Event]:
        one = Leadership(LeaderLock(address), lose)
        leads = threading.Event()
        threading.Thread(target=lambda: (one.acquire(), leads.set()), daemon=True).start()
        started.append(one)
        return one, leads

    yield start
    for one in started:
        one.release()


def test_second_supervisor_leads_when_the_first_ends(start: Callable[..., tuple[Leadership, threading.Event]]) -> None:
    first, leads = start()
    assert leads.wait(10)
    _, follows = start()
    assert not follows.wait(0.3)
    first.release()
    assert follows.wait(10)


def test_leader_whose_connection_breaks_leads_on_if_no_other_one_does(
    start: Callable[..., tuple[Leadership, threading.Event]], address: str
) -> None:
    lost = threading.Event()
    _, leads = start(lost.set)
    assert leads.wait(10)
    break_connection(address)
    until(lambda: count_leaders(address) == 1, "it has the lock again")
    assert not lost.is_set()


def test_leader_stops_if_another_one_leads_after_its_connection_broke(
    start: Callable[..., tuple[Leadership, threading.Event]], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = threading.Event()
    monkeypatch.setattr(leadership, "CHECK_SECONDS", 0.5)  # the other one is faster
    _, leads = start(lost.set)
    assert leads.wait(10)
    _, follows = start()
    break_connection(address)
    assert follows.wait(10) and lost.wait(10)
    assert count_leaders(address) == 1


def break_connection(address: str) -> None:
    other = connection.build_database(address)
    with other.connection_context():
        assert other.execute_sql(BREAK, (LEADER_LOCK,)).fetchall() == [(True,)]


def count_leaders(address: str) -> int:
    other = connection.build_database(address)
    with other.connection_context():
        ask = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
        return int(other.execute_sql(ask, (LEADER_LOCK,)).fetchone()[0])
