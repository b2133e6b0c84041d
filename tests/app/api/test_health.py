"""Health probes: live while the process answers, ready while a worker can run tasks."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from peewee import OperationalError

from app.core.db import connection, heartbeats
from app.core.db.heartbeats import Worker
from tests.app.posting import refused


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live", "/health/live/"])
def test_liveness_does_not_need_the_database(web: Flask, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    def unreachable(**kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection.database.obj, "connect", unreachable)
    answer = web.test_client().get(path)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_ready_while_a_heartbeat_is_fresh(web: Flask, path: str) -> None:
    with connection.database.connection_context():
        heartbeats.record_heartbeat("me", [])
    answer = web.test_client().get(path)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_not_ready_without_a_worker(web: Flask) -> None:
    answer = web.test_client().get("/health/ready")
    assert "python -m workers" in refused(answer, 503)["message"]
    assert int(answer.headers["Retry-After"]) > 0


def test_not_ready_when_the_heartbeat_is_old(web: Flask) -> None:
    with connection.database.connection_context():
        heartbeats.record_heartbeat("me", [])
        Worker.update(heartbeat_at=Worker.heartbeat_at - heartbeats.FRESH_SECONDS - 1).execute()
    refused(web.test_client().get("/health/ready"), 503)


def test_not_ready_after_the_worker_is_removed(web: Flask) -> None:
    with connection.database.connection_context():
        heartbeats.record_heartbeat("me", [])
        heartbeats.remove_worker("me")
    refused(web.test_client().get("/health/ready"), 503)


def test_readiness_error_names_an_unavailable_database(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection.database.obj, "connect", unreachable)
    assert "database" in refused(web.test_client().get("/health/ready"), 503)["message"]


def test_ready_while_an_autoscaler_has_no_device_or_starts_one(web: Flask) -> None:
    requested = {"device": "cuda-0", "place": "", "state": "requested"}
    for devices in ([], [requested]):
        with connection.database.connection_context():
            heartbeats.record_heartbeat("me", devices)
            assert heartbeats.list_devices() == {}, "but it does not count in estimates"
        assert web.test_client().get("/health/ready").status_code == 200


def test_not_ready_while_every_device_process_waits_for_a_device(web: Flask) -> None:
    waiting = {"device": "cuda-0", "place": "", "state": "waiting", "cause": "no device is free"}
    with connection.database.connection_context():
        heartbeats.record_heartbeat("me", [waiting])
        assert heartbeats.list_devices() == {}
    assert "cuda-0: no device is free" in refused(web.test_client().get("/health/ready"), 503)["message"]
    with connection.database.connection_context():
        heartbeats.record_heartbeat("me", [waiting, {"device": "cuda-1", "place": "node", "state": "busy"}])
    assert web.test_client().get("/health/ready").status_code == 200
