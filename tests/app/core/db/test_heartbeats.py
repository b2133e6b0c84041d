"""Heartbeats show which workers are alive, by the clock of the database; old ones are deleted."""

from __future__ import annotations

import json

import pytest

from app.core.db import heartbeats
from app.core.db.heartbeats import FORGET_SECONDS, FRESH_SECONDS, Worker

pytestmark = pytest.mark.usefixtures("open_database")


def owners() -> list[str]:
    return sorted(row.name for row in Worker.select())


def test_each_supervisor_has_one_row_with_its_devices() -> None:
    heartbeats.record_heartbeat("me", [{"device": "cpu-0", "state": "starting"}])
    heartbeats.record_heartbeat("me", [{"device": "cpu-0", "state": "idle"}])
    (row,) = heartbeats.list_alive()
    assert (row.name, json.loads(row.devices)) == ("me", [{"device": "cpu-0", "state": "idle"}])
    assert row.heartbeat_at >= row.started_at


def test_old_heartbeat_is_not_alive_until_renewed() -> None:
    heartbeats.record_heartbeat("me", [])
    Worker.update(heartbeat_at=Worker.heartbeat_at - FRESH_SECONDS - 1).execute()
    assert heartbeats.list_alive() == []
    heartbeats.record_heartbeat("me", [])
    assert [row.name for row in heartbeats.list_alive()] == ["me"]


def test_workers_silent_for_an_hour_are_deleted_by_the_next_heartbeat() -> None:
    heartbeats.record_heartbeat("gone", [])
    heartbeats.record_heartbeat("resting", [])
    Worker.update(heartbeat_at=Worker.heartbeat_at - FORGET_SECONDS - 1).where(Worker.name == "gone").execute()
    heartbeats.record_heartbeat("new", [])
    assert owners() == ["new", "resting"]


def test_removing_a_worker_keeps_the_others() -> None:
    heartbeats.record_heartbeat("me", [])
    heartbeats.record_heartbeat("them", [])
    heartbeats.remove_worker("me")
    assert owners() == ["them"]
