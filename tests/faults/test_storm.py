"""Kill processes at random moments during a stream of uploads: every acknowledged task ends."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests

from tests.faults.faulty import ENDED, FaultyService, faulty, is_gone
from tests.service import SAMPLE, promptly, until

STORM = [pytest.mark.storm, pytest.mark.timeout(5400)]
SLOTS = 2
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
LONGEST = 5.0


class Stream(threading.Thread):
    """A client that sends one recording after another; ``acknowledged`` are the tasks answered with 201."""

    def __init__(self, service: FaultyService, path: str = "/vad", pause: float = 0.15) -> None:
        super().__init__(daemon=True)
        self._url = service.url + path
        self._pause = pause
        self.acknowledged: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        content = SAMPLE.read_bytes()
        while not self.over.wait(self._pause):
            try:
                answer = requests.post(self._url, files={"file": ("a.flac", content)}, timeout=30)
            except requests.RequestException:  # killed before the answer: the task was not acknowledged
                continue
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["identifier"])


def completed(service: FaultyService) -> int:
    with contextlib.closing(sqlite3.connect(service.folder / "records.db")) as database:
        return int(database.execute("SELECT COUNT(*) FROM task WHERE status = 'COMPLETED'").fetchone()[0])


def kill_everything(service: FaultyService) -> None:
    family = []
    for tree in (service.web, service.worker):
        assert tree is not None
        root = psutil.Process(tree.pid)
        family += [root, *root.children(recursive=True)]
    for process in family:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    for tree in (service.web, service.worker):
        assert isinstance(tree, subprocess.Popen)
        tree.wait()
    until(lambda: all(is_gone(process) for process in family), "all processes are gone", promptly(10))


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=STORM)])
def test_no_acknowledged_task_is_lost_when_everything_is_killed(tmp_path: Path, rounds: int) -> None:
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    with faulty(tmp_path) as service:
        stream = Stream(service)
        stream.start()
        for _ in range(rounds):
            service.start_web()
            service.start_worker(ready=False)
            if chance.random() < 0.7:
                done = completed(service)
                until(lambda done=done: completed(service) > done, "a task completes")
            time.sleep(chance.uniform(0, LONGEST))
            kill_everything(service)
        stream.over.set()
        stream.join(60)
        service.start()
        assert len(stream.acknowledged) > rounds
        tasks = [service.finished(identifier) for identifier in stream.acknowledged]
        assert {task["status"] for task in tasks} <= set(ENDED)
        lost = [task for task in tasks if task["status"] != "COMPLETED"]
        assert all(task["error_code"] == "worker_crashed" and task["attempt"] == 3 for task in lost)
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert service.finished(service.submit())["status"] == "COMPLETED"
        print(f"{rounds} kills, {len(tasks)} acknowledged, {len(tasks) - len(lost)} completed, {len(lost)} given up")


class Census(threading.Thread):
    """Watches the device processes: ``most`` at the same time, and all that were ``seen``."""

    def __init__(self, service: FaultyService) -> None:
        super().__init__(daemon=True)
        self._service = service
        self.most = 0
        self.seen: set[psutil.Process] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            living = [process for process in self._service.device_processes() if not is_gone(process)]
            self.most = max(self.most, len(living))
            self.seen.update(living)


def idle_memory(service: FaultyService) -> float:
    """Resident MB of all idle processes, after each device process has transcribed."""
    until(lambda: len(service.device_processes()) == SLOTS, "one device process for each slot")
    for _ in range(4):
        for identifier in [service.submit() for _ in range(2 * SLOTS)]:
            service.finished(identifier)
    assert service.web and service.worker
    trees = [psutil.Process(tree.pid) for tree in (service.web, service.worker)]
    family = [process for tree in trees for process in (tree, *tree.children(recursive=True))]
    return float(sum(process.memory_info().rss for process in family)) / 2**20


@pytest.mark.parametrize(("kills", "every"), [(10, 2.0), pytest.param(200, 4.0, marks=STORM)])
def test_tasks_end_while_device_processes_are_killed_at_random(tmp_path: Path, kills: int, every: float) -> None:
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    with faulty(tmp_path, workers={"cpu_slots": SLOTS, "cpu_threads": 1}) as service:
        service.start()
        baseline = idle_memory(service)
        stream, census = Stream(service, "/transcription", every), Census(service)
        stream.start()
        census.start()
        done = 0
        while done < kills:
            time.sleep(chance.uniform(0, 2 * every))
            if living := service.device_processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(living).kill()
                    done += 1
        stream.over.set()
        stream.join(60)
        tasks = [service.finished(identifier) for identifier in stream.acknowledged]
        assert {task["status"] for task in tasks} <= {"COMPLETED", "FAILED"}
        lost = [task for task in tasks if task["status"] == "FAILED"]
        assert all(task["error_code"] == "worker_crashed" and task["attempt"] == 3 for task in lost)
        memory = idle_memory(service)
        assert census.is_alive(), "the census ran until now"
        census.over.set()
        census.join(60)
        assert census.most == SLOTS
    assert all(is_gone(process) for process in census.seen)
    assert "leaked" not in service.log("worker.log"), "no semaphore outlives a process"
    print(
        f"{kills} kills, {len(tasks)} acknowledged, {len(tasks) - len(lost)} completed, {len(lost)} given up; "
        f"{len(census.seen)} processes, {census.most} at once; {baseline:.0f} MB idle before, {memory:.0f} after"
    )
    assert abs(memory / baseline - 1) <= 0.05
