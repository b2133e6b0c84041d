"""Run the real service with short pauses and with faults that a test injects (injection.py)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from tests.faults import injection
from tests.service import MINI, Service, until

ENDED = ("COMPLETED", "FAILED", "CANCELLED")
QUICK = {"retry_pause": 0.2, "preload": False}  # tests crash processes often, so they must restart quickly


class FaultyService(Service):
    """The service on the mini models; ``sections`` are further settings of config.yaml."""

    def __init__(self, folder: Path, db_url: str | None = None, lease: float | None = None, **sections: Any) -> None:
        config = yaml.safe_load((MINI / "config.yaml").read_text())
        config["models"]["path"] = str(MINI)
        for section, values in ({"workers": {}} | sections).items():
            config[section] = config.get(section, {}) | (QUICK if section == "workers" else {}) | values
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        super().__init__(folder, config=folder / "config.yaml", db_url=db_url)
        self.faults = folder / "faults"
        self.faults.mkdir(exist_ok=True)
        self.environment[injection.FOLDER] = str(self.faults)
        if lease is not None:
            self.environment["LEASE_SECONDS"] = str(lease)

    def start_web(self) -> None:
        self.web = self._start("gunicorn", "-c", "gunicorn.conf.py", "tests.faults.web:app", log="web.log")
        until(self.alive, "the web process answers /health/live")

    def start_worker(self, ready: bool = True) -> None:
        self.worker = self._start("tests.faults.worker", log="worker.log")
        if ready:
            until(self.ready, "/health/ready answers 200")

    def inject(self, stage: str, act: str, times: int = 1, prompt: str | None = None) -> Path:
        return injection.inject(self.faults, stage, act, times, prompt)

    def clear_faults(self) -> None:
        """Remove all faults; a process that is held continues."""
        for path in self.faults.glob("*.fault*"):
            path.unlink()

    def cancel(self, identifier: str) -> int:
        return requests.post(f"{self.url}/task/{identifier}/cancel", timeout=30).status_code

    def device_process(self) -> psutil.Process:
        """Wait for the only device process."""
        (process,) = until(self.device_processes, "a device process")
        return process

    def count_log_lines(self, pattern: str) -> int:
        """Count the matches of ``pattern`` in the supervisor's log."""
        return len(re.findall(pattern, self.log("worker.log")))

    def wait_for_log(self, pattern: str, times: int = 1) -> None:
        """Wait until the supervisor's log contains ``pattern`` ``times`` times: it is written just after the event."""
        until(lambda: self.count_log_lines(pattern) >= times, f"the log has {times} lines with {pattern!r}", every=0.01)

    def wait_for_stage(self, identifier: str, stage: str) -> None:
        until(lambda: self.task(identifier)["stage"] == stage, f"task {identifier} is in stage {stage}", every=0.01)


@contextlib.contextmanager
def faulty(folder: Path, **kwargs: Any) -> Iterator[FaultyService]:
    service = FaultyService(folder, **kwargs)
    try:
        yield service
    finally:
        service.stop()


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
