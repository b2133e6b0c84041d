"""The supervisor dies, is stopped, started twice, or told to go: nothing is lost, done twice, or left running."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests
from playhouse import db_url

from tests.faults.faulty import FaultyService, faulty, is_gone
from tests.faults.injection import HOLD, happened
from tests.postgres import Postgres
from tests.service import PATIENCE, ROOT, last_moment, promptly, until

LEASE = 6.0  # instead of 30, so that a test need not wait for as long
LOAD_TIMEOUT = 60.0  # longer than a process takes to start on a machine that is busy with other things


def supervisors(open_database: str) -> int:
    """How many have said that they live."""
    opened = db_url.connect(open_database)
    with opened.connection_context():
        return int(opened.execute_sql("SELECT COUNT(*) FROM worker").fetchone()[0])


def run_of(service: FaultyService, identifier: str) -> tuple[str, int]:
    task = service.task(identifier)
    return task["status"], task["attempt"]


def killed(service: FaultyService) -> None:
    """Like the out-of-memory killer."""
    assert service.worker is not None
    service.worker.kill()
    service.worker.wait()


def test_fault_3_killed_supervisor_takes_its_processes_along_and_a_restart_recovers(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        service.order("transcribe", "long pause")
        interrupted, *waiting = [service.submit() for _ in range(4)]
        service.reached(interrupted, "transcribe")
        process = service.device_process()
        killed(service)
        until(lambda: is_gone(process), "its device process is gone, too", promptly(2))
        assert service.task(interrupted)["status"] == "IN_PROGRESS"
        later = service.submit()
        assert service.task(later)["queue_position"] == 4
        service.start_worker()
        ended = [service.finished(identifier) for identifier in (interrupted, *waiting, later)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 2), *[("COMPLETED", 1)] * 4]
        order = [task["started_at"] for task in ended[1:]]
        assert order == sorted(order), "those that waited kept their places"
        assert service.said(f"task {interrupted} requeued: .* is gone") == 1


def test_promise_a_stop_loses_nothing_and_spends_no_attempt(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"drain_timeout": 0.5}) as service:
        service.start()
        service.order("transcribe", "long pause")
        running, *waiting = [service.submit() for _ in range(4)]
        service.reached(running, "transcribe")
        process = service.device_process()
        assert service.worker is not None
        service.worker.send_signal(signal.SIGTERM)
        assert service.worker.wait(PATIENCE) == 0
        assert is_gone(process)
        assert [service.task(each)["queue_position"] for each in (running, *waiting)] == [1, 2, 3, 4]
        assert service.task(running)["attempt"] == 0
        service.start_worker()
        ended = [service.finished(identifier) for identifier in (running, *waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 4
        order = [task["started_at"] for task in ended]
        assert order == sorted(order)


def test_promise_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"drain_timeout": 600.0}) as service:
        service.start()
        service.order("transcribe", "hang")
        running, waiting = service.submit(), service.submit()
        service.reached(running, "transcribe")
        process = service.device_process()
        assert service.worker is not None
        service.worker.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.worker.wait(2)
        service.worker.send_signal(signal.SIGTERM)
        assert service.worker.wait(promptly(2)) == 0, "it waits neither for ten minutes nor for the call that hangs"
        assert is_gone(process)
        assert [(service.task(each)["status"], service.task(each)["attempt"]) for each in (running, waiting)] == [
            ("QUEUED", 0)
        ] * 2


def test_fault_16_second_supervisor_on_one_sqlite_database_is_refused(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        assert service.worker is not None
        command = [sys.executable, "-m", "workers"]
        done = subprocess.run(
            command, cwd=ROOT, env=service.environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 1
        assert f"cannot start: {tmp_path / 'records.db'} is served by process {service.worker.pid} on " in done.stderr
        assert "Traceback" not in done.stderr
        assert service.finished(service.submit())["status"] == "COMPLETED"
        killed(service)
        service.start_worker()
        assert service.finished(service.submit())["status"] == "COMPLETED", "the lock has died with its holder"


def test_fault_19_and_stale_writer_a_stopped_supervisor_wakes_up_to_a_finished_task(
    tmp_path: Path, postgres: Postgres
) -> None:
    database = postgres.database("stopped")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(faulty(tmp_path / "a", db_url=database, lease=LEASE))
        second = stack.enter_context(faulty(tmp_path / "b", db_url=database, lease=LEASE))
        second.environment["CACHE_DIR"] = str(first.cache)
        first.start()
        first.order("transcribe", "pause")
        identifier = first.submit()
        first.reached(identifier, "transcribe")
        assert first.worker is not None
        first.worker.send_signal(signal.SIGSTOP)
        second.order("transcribe", "pause", times=2)
        second.start_worker(ready=False)
        absent = last_moment(lambda: supervisors(database) == 1)
        until(lambda: run_of(first, identifier) != ("IN_PROGRESS", 1), "the second supervisor takes the task over")
        assert time.monotonic() - absent > LEASE, "but not before it has seen the lease stand still for as long"
        task = first.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)
        first.worker.send_signal(signal.SIGCONT)
        first.says(f"task {identifier} was cancelled, deleted or taken over")
        assert first.task(identifier) == task, "the late writer has changed nothing"
        second.says(f"task {identifier} completed")
        assert not first.said(f"task {identifier} completed")
        ended = [first.finished(each)["status"] for each in [first.submit() for _ in range(4)]]
        assert ended == ["COMPLETED"] * 4


def test_fault_16_two_supervisors_share_a_postgresql_queue(tmp_path: Path, postgres: Postgres) -> None:
    database = postgres.database("shared")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(faulty(tmp_path / "a", db_url=database))
        second = stack.enter_context(faulty(tmp_path / "b", db_url=database))
        second.environment["CACHE_DIR"] = str(first.cache)
        first.start()
        second.start_worker(ready=False)
        orders = [service.order("transcribe", HOLD) for service in (first, second)]
        identifiers = [first.submit() for _ in range(8)]
        until(lambda: all(happened(order) for order in orders), "each of the two runs a task")
        for service in (first, second):
            service.call_off()
        ended = [first.finished(identifier) for identifier in identifiers]
        assert {(task["status"], task["attempt"]) for task in ended} == {("COMPLETED", 1)}
        until(lambda: first.said("completed in") + second.said("completed in") == 8, "each was completed once")
        assert first.said("completed in") and second.said("completed in")


def test_fault_11_a_model_that_kills_whoever_loads_it_leaves_the_others_usable(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"preload": True}) as service:
        order = service.order("load whisper mini", "sigsegv", times=10**6)
        service.start()
        vad = service.post("/vad").json()["identifier"]
        assert service.finished(vad)["status"] == "COMPLETED", "the third process comes up without it"
        assert happened(order) == 2
        task = service.finished(service.submit())
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "worker_crashed", 3)
        assert service.said(r"cpu-0 died \(SIGSEGV\)") == 5, "no spiral"
        vad = service.post("/vad").json()["identifier"]
        assert service.finished(vad)["status"] == "COMPLETED"


def test_fault_11_loading_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"load_timeout": LOAD_TIMEOUT}) as service:
        service.order("load align en", "hang")
        service.start()
        task = service.finished(service.submit())
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "model_not_available", 1)
        assert f"align en took longer than {LOAD_TIMEOUT:.0f} s" in task["error"]
        assert service.finished(service.submit())["status"] == "COMPLETED"


def test_readiness_names_the_reason_when_no_process_comes_up(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"preload": True, "load_timeout": 1.0}) as service:
        service.start_web()
        service.start_worker(ready=False)
        ready = f"{service.url}/health/ready"
        until(lambda: "No device process can start" in requests.get(ready, timeout=10).text, "readiness says so")
        answer = requests.get(ready, timeout=10)
        assert answer.status_code == 503 and "cpu-0: " in answer.json()["message"]
        assert "workers.load_timeout" in answer.json()["message"] and int(answer.headers["Retry-After"]) > 0


def test_memory_ceiling_a_process_that_has_grown_is_replaced_between_tasks(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"max_rss": 100}) as service:
        service.start()
        before = service.device_process()
        ended = [service.finished(each) for each in [service.submit() for _ in range(2)]]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        service.says("cpu-0 is replaced: .* MB resident, more than workers.max_rss", times=2)
        assert service.device_process().pid != before.pid
        assert not psutil.pid_exists(before.pid) or is_gone(before)
