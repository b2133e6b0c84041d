"""The database is locked or unavailable for a while: clients get 503, no result is lost, and work continues."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import requests

from tests.faults.faulty import FaultyService, faulty
from tests.faults.injection import HOLD, happened
from tests.postgres import Postgres
from tests.service import until

LOCKED_SECONDS = 14.0  # longer than a web request waits (10 s) and several retries of the supervisor
GONE_SECONDS = 10.0


def assert_unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0 and "database" in answer.json()["message"]


def test_result_is_kept_while_the_database_is_locked(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        fault = service.inject("align", HOLD)
        identifier = service.submit()
        until(lambda: happened(fault), "the task is in its last stage", every=0.01)
        other = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        locked = time.monotonic()
        assert_unavailable(service.post())
        assert service.task(identifier)["status"] == "IN_PROGRESS", "reads still work"
        service.clear_faults()  # the run ends while the database is locked
        time.sleep(max(0.0, LOCKED_SECONDS - (time.monotonic() - locked)))
        other.execute("ROLLBACK")
        task = service.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
        service.wait_for_log("database unavailable, trying again in 1 s: database is locked")
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert not list((service.cache / "incoming").iterdir()), "the refused upload leaves no file"


def test_tasks_complete_after_a_restart_of_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    with faulty(tmp_path, db_url=postgres.database("restarted")) as service:
        service.start()
        fault = service.inject("align", HOLD)
        running, waiting = service.submit(), service.submit()
        until(lambda: happened(fault), "the task is in its last stage", every=0.01)
        postgres.stop()
        try:
            stopped = time.monotonic()
            assert_unavailable(service.post())
            assert_unavailable(requests.get(f"{service.url}/task/{running}", timeout=30))
            assert_unavailable(requests.get(f"{service.url}/health/ready", timeout=30))
            assert requests.get(f"{service.url}/health/live", timeout=30).status_code == 200
            service.clear_faults()
            time.sleep(max(0.0, GONE_SECONDS - (time.monotonic() - stopped)))
        finally:
            postgres.start()
        ended = [service.finished(each) for each in (running, waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        until(service.ready, "/health/ready answers 200 again")
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert_one_supervisor(service)


def assert_one_supervisor(service: FaultyService) -> None:
    assert len(service.device_processes()) == 1 and service.count_log_lines("serves cpu-0") == 1
