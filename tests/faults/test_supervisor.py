"""The supervisor is killed, suspended, stopped or started twice: no task is lost or repeated, no process remains."""

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

LEASE = 6.0  # instead of 30, so that the test waits less
LOAD_TIMEOUT = 60.0  # longer than a process takes to start on a busy machine


def count_supervisors(database_url: str) -> int:
    """Count the supervisors that have sent a heartbeat."""
    opened = db_url.connect(database_url)
    with opened.connection_context():
        return int(opened.execute_sql("SELECT COUNT(*) FROM worker").fetchone()[0])


def run_of(service: FaultyService, identifier: str) -> tuple[str, int]:
    task = service.task(identifier)
    return task["status"], task["attempt"]


def kill_worker(service: FaultyService) -> None:
    """Kill the supervisor with SIGKILL, as the kernel does when memory runs out."""
    assert service.worker is not None
    service.worker.kill()
    service.worker.wait()


def test_device_processes_end_with_a_killed_supervisor_and_a_restart_recovers_its_tasks(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"tasks_per_device": 1}) as service:
        service.start()
        service.inject("transcribe", "long pause")
        interrupted, *waiting = [service.submit() for _ in range(4)]
        service.wait_for_stage(interrupted, "transcribe")
        process = service.device_process()
        kill_worker(service)
        until(lambda: is_gone(process), "its device process is gone", promptly(2))
        assert service.task(interrupted)["status"] == "IN_PROGRESS"
        later = service.submit()
        assert service.task(later)["queue_position"] == 4
        service.start_worker()
        ended = [service.finished(identifier) for identifier in (interrupted, *waiting, later)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 2), *[("COMPLETED", 1)] * 4]
        order = [task["started_at"] for task in ended[1:]]
        assert order == sorted(order), "waiting tasks keep their order"
        assert service.count_log_lines(f"task {interrupted} requeued: .* is gone") == 1


def test_stop_loses_no_task_and_costs_no_attempt(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"drain_timeout": 0.5}) as service:
        service.start()
        service.inject("transcribe", "long pause")
        running, *waiting = [service.submit() for _ in range(4)]
        service.wait_for_stage(running, "transcribe")
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


def test_second_signal_stops_the_supervisor_at_once(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"drain_timeout": 600.0}) as service:
        service.start()
        service.inject("transcribe", "hang")
        running = service.submit()
        service.wait_for_stage(running, "transcribe")
        waiting = service.submit()
        process = service.device_process()
        assert service.worker is not None
        service.worker.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.worker.wait(2)
        service.worker.send_signal(signal.SIGTERM)
        assert service.worker.wait(promptly(2)) == 0, "it waits neither for drain_timeout nor for the hanging call"
        assert is_gone(process)
        assert [(service.task(each)["status"], service.task(each)["attempt"]) for each in (running, waiting)] == [
            ("QUEUED", 0)
        ] * 2


def test_second_supervisor_on_one_sqlite_database_is_refused(tmp_path: Path) -> None:
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
        kill_worker(service)
        service.start_worker()
        assert service.finished(service.submit())["status"] == "COMPLETED", "the lock is released when its holder dies"


def test_late_result_of_a_suspended_supervisor_is_rejected(tmp_path: Path, postgres: Postgres) -> None:
    database = postgres.database("stopped")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(faulty(tmp_path / "a", db_url=database, lease=LEASE))
        second = stack.enter_context(faulty(tmp_path / "b", db_url=database, lease=LEASE))
        second.environment["CACHE_DIR"] = str(first.cache)
        first.start()
        first.inject("transcribe", "pause")
        identifier = first.submit()
        first.wait_for_stage(identifier, "transcribe")
        assert first.worker is not None
        first.worker.send_signal(signal.SIGSTOP)
        second.inject("transcribe", "pause", times=2)
        second.start_worker(ready=False)
        absent = last_moment(lambda: count_supervisors(database) == 1)
        until(lambda: run_of(first, identifier) != ("IN_PROGRESS", 1), "the second supervisor takes the task over")
        assert time.monotonic() - absent > LEASE, "but not before the lease has expired"
        task = first.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)
        first.worker.send_signal(signal.SIGCONT)
        first.wait_for_log(f"task {identifier} was cancelled, deleted or taken over")
        assert first.task(identifier) == task, "the late result changes nothing"
        second.wait_for_log(f"task {identifier} completed")
        assert not first.count_log_lines(f"task {identifier} completed")
        ended = [first.finished(each)["status"] for each in [first.submit() for _ in range(4)]]
        assert ended == ["COMPLETED"] * 4


def test_two_supervisors_share_a_postgresql_queue(tmp_path: Path, postgres: Postgres) -> None:
    database = postgres.database("shared")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(faulty(tmp_path / "a", db_url=database))
        second = stack.enter_context(faulty(tmp_path / "b", db_url=database))
        second.environment["CACHE_DIR"] = str(first.cache)
        first.start()
        second.start_worker(ready=False)
        faults = [service.inject("transcribe", HOLD) for service in (first, second)]
        identifiers = [first.submit() for _ in range(8)]
        until(lambda: all(happened(fault) for fault in faults), "each supervisor runs a task")
        for service in (first, second):
            service.clear_faults()
        ended = [first.finished(identifier) for identifier in identifiers]
        assert {(task["status"], task["attempt"]) for task in ended} == {("COMPLETED", 1)}
        until(
            lambda: first.count_log_lines("completed in") + second.count_log_lines("completed in") == 8,
            "each task is completed once",
        )
        assert first.count_log_lines("completed in") and second.count_log_lines("completed in")


def test_model_that_crashes_while_loading_does_not_affect_other_models(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"preload": True}) as service:
        fault = service.inject("load whisper mini", "sigsegv", times=10**6)
        service.start()
        vad = service.post("/vad").json()["identifier"]
        assert service.finished(vad)["status"] == "COMPLETED", "the third process starts without it"
        assert happened(fault) == 2
        task = service.finished(service.submit())
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "worker_crashed", 3)
        assert service.count_log_lines(r"cpu-0 died \(SIGSEGV\)") == 5, "it is not loaded again at start"
        vad = service.post("/vad").json()["identifier"]
        assert service.finished(vad)["status"] == "COMPLETED"


def test_loading_a_model_has_its_own_deadline(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"load_timeout": LOAD_TIMEOUT}) as service:
        service.inject("load align en", "hang")
        service.start()
        task = service.finished(service.submit())
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "model_not_available", 1)
        assert f"align en took longer than {LOAD_TIMEOUT:.0f} s" in task["error"]
        assert service.finished(service.submit())["status"] == "COMPLETED"


def test_readiness_names_the_reason_when_no_process_can_start(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"preload": True, "load_timeout": 1.0}) as service:
        service.start_web()
        service.start_worker(ready=False)
        ready = f"{service.url}/health/ready"
        until(
            lambda: "No device process can start" in requests.get(ready, timeout=10).text,
            "/health/ready gives the reason",
        )
        answer = requests.get(ready, timeout=10)
        assert answer.status_code == 503 and "cpu-0: " in answer.json()["message"]
        assert "workers.load_timeout" in answer.json()["message"] and int(answer.headers["Retry-After"]) > 0


def test_process_above_max_rss_is_replaced_between_tasks(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"max_rss": 100}) as service:
        service.start()
        before = service.device_process()
        held = service.inject("transcribe", HOLD, prompt="held")
        beside = service.submit(initial_prompt="held")
        until(lambda: happened(held), "it is held")
        first = service.submit()
        assert service.finished(first)["status"] == "COMPLETED"
        service.wait_for_log("cpu-0: .* MB resident, more than workers.max_rss")
        after = service.submit()
        service.clear_faults()
        ended = [service.finished(each) for each in (beside, first, after)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 3
        service.wait_for_log("cpu-0 is replaced: it used more than workers.max_rss", times=2)
        assert service.device_process().pid != before.pid
        assert not psutil.pid_exists(before.pid) or is_gone(before)
