"""Everything is killed at random moments under a stream of uploads: whatever was acknowledged comes to an end."""

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
from tests.service import SAMPLE, until

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
LONGEST = 5.0


class Stream(threading.Thread):
    """A client that sends one recording after the other; ``acknowledged`` are those that were answered with 201."""

    def __init__(self, service: FaultyService) -> None:
        super().__init__(daemon=True)
        self._service = service
        self.acknowledged: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        content = SAMPLE.read_bytes()
        while not self.over.wait(0.15):
            try:
                answer = requests.post(f"{self._service.url}/vad", files={"file": ("a.flac", content)}, timeout=30)
            except requests.RequestException:  # killed before it answered: nothing was promised
                continue
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["identifier"])


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
    until(lambda: all(is_gone(process) for process in family), "all are gone", 10)


@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=[pytest.mark.storm, pytest.mark.timeout(3600)])])
def test_fault_7_and_promise_accepted_is_never_lost(tmp_path: Path, rounds: int) -> None:
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    with faulty(tmp_path) as service:
        stream = Stream(service)
        stream.start()
        for _ in range(rounds):
            service.start_web()
            service.start_worker(ready=chance.random() < 0.7)
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
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert service.finished(service.submit())["status"] == "COMPLETED"
        print(f"{rounds} kills, {len(tasks)} acknowledged, {len(tasks) - len(lost)} completed, {len(lost)} given up")
