"""The database is locked, or gone for a while: 503 for clients, nothing thrown away, and everything goes on by itself."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import requests

from tests.faults.faulty import FaultyService, faulty
from tests.faults.injection import HOLD, happened
from tests.postgres import Postgres
from tests.service import until

LOCKED_SECONDS = 14.0  # longer than a web request waits (10 s), and than several tries of the supervisor
GONE_SECONDS = 10.0


def refused(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0 and "database" in answer.json()["message"]


def test_fault_8_database_locked_a_finished_result_is_kept_until_it_can_be_written(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        order = service.order("align", HOLD)
        identifier = service.submit()
        until(lambda: happened(order), "it is nearly done", every=0.01)
        other = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        locked = time.monotonic()
        refused(service.post())
        assert service.task(identifier)["status"] == "IN_PROGRESS", "reading goes on"
        service.call_off()  # it ends while the database is locked
        time.sleep(max(0.0, LOCKED_SECONDS - (time.monotonic() - locked)))
        other.execute("ROLLBACK")
        task = service.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
        service.says("database unavailable, trying again in 1 s: database is locked")
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert not list((service.cache / "incoming").iterdir()), "the refused upload left nothing"


def test_fault_18_postgresql_restarts_and_everything_goes_on(tmp_path: Path, postgres: Postgres) -> None:
    with faulty(tmp_path, db_url=postgres.database("restarted")) as service:
        service.start()
        order = service.order("align", HOLD)
        running, waiting = service.submit(), service.submit()
        until(lambda: happened(order), "it is nearly done", every=0.01)
        postgres.stop()
        try:
            stopped = time.monotonic()
            refused(service.post())
            refused(requests.get(f"{service.url}/task/{running}", timeout=30))
            refused(requests.get(f"{service.url}/health/ready", timeout=30))
            assert requests.get(f"{service.url}/health/live", timeout=30).status_code == 200
            service.call_off()
            time.sleep(max(0.0, GONE_SECONDS - (time.monotonic() - stopped)))
        finally:
            postgres.start()
        ended = [service.finished(each) for each in (running, waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        until(service.ready, "ready again")
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert_one_supervisor(service)


def assert_one_supervisor(service: FaultyService) -> None:
    assert len(service.device_processes()) == 1 and service.said("serves cpu-0") == 1
