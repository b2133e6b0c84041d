"""Start real gunicorn and supervisor processes on a free port, with their own cache and database."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from tests.app.posting import REQUIRED

ROOT = Path(__file__).resolve().parent.parent
MINI = ROOT / "models" / "mini"
SAMPLES = MINI / "samples"
SAMPLE = SAMPLES / "short.flac"
PATIENCE = 240.0  # on a busy machine, a device process takes over a minute to start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE, every: float = 0.05) -> Any:
    """Wait until ``condition`` returns a true value and return it. Raises AssertionError after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not within {patience:.0f} s: {what}")


def last_moment(holds: Callable[[], bool]) -> float:
    """Wait until ``holds`` is false; return when it was last true, on the steady clock."""
    moments: list[float] = []

    def over() -> bool:
        asked = time.monotonic()
        if holds():
            moments.append(asked)
            return False
        return True

    until(over, "the condition no longer holds", every=0.01)
    return moments[-1]


def promptly(seconds: float, least: float = 2.0) -> float:
    """How long a test may wait for what the service promises within ``seconds``.

    ``least`` times as long on an idle machine, because the polling of the test takes time; longer if processes wait for a
    core.
    """
    running = int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
    waiting = max(running, os.getloadavg()[0]) / (os.cpu_count() or 1)
    return seconds * max(least, 1.0 + waiting)


def write_config(folder: Path, **sections: Any) -> Path:
    """Write a config.yaml for the mini models to ``folder``, with ``sections`` added."""
    config = yaml.safe_load((MINI / "config.yaml").read_text())
    config["models"]["path"] = str(MINI)
    for section, values in sections.items():
        config[section] = config.get(section, {}) | values
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


class Service:
    """One running service; ``web`` and ``worker`` are the roots of its two process trees."""

    def __init__(self, folder: Path, config: Path = MINI / "config.yaml", db_url: str | None = None) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "CONFIG": str(config),
            "PORT": str(self.port),
            "CACHE_DIR": str(self.cache),
            "DB_URL": db_url or f"sqlite:///{folder / 'records.db'}",
        }
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> Service:
        self.start_web()
        self.start_worker()
        return self

    def start_web(self) -> None:
        self.web = self._start("gunicorn", "-c", "gunicorn.conf.py", "wsgi:app", log="web.log")
        until(self.alive, "the web process answers /health/live")

    def start_worker(self) -> None:
        """Start the supervisor and wait for a heartbeat; that of a killed one counts for 15 s.

        Device processes may still be starting.
        """
        self.worker = self._start("workers", log="worker.log")
        until(self.ready, "/health/ready answers 200")

    def _start(self, module: str, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        output = (self.folder / log).open("wb")
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=output, stderr=output)

    def alive(self) -> bool:
        return self._healthy("live")

    def ready(self) -> bool:
        return self._healthy("ready")

    def _healthy(self, probe: str) -> bool:
        try:
            return requests.get(f"{self.url}/health/{probe}", timeout=30).status_code == 200
        except (requests.ConnectionError, requests.Timeout):  # timeouts happen on a busy machine
            return False

    def log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def device_processes(self) -> list[psutil.Process]:
        assert self.worker is not None
        children = psutil.Process(self.worker.pid).children()
        return [child for child in children if "spawn_main" in " ".join(_command(child))]

    def post(self, path: str = "/transcription", recording: Path | bytes = SAMPLE, **kwargs: Any) -> requests.Response:
        content = recording if isinstance(recording, bytes) else recording.read_bytes()
        name = "recording" if isinstance(recording, bytes) else recording.name
        kwargs.setdefault("data", REQUIRED.get(path.partition("?")[0]))
        return requests.post(self.url + path, files={"file": (name, content)}, timeout=60, **kwargs)

    def submit(self, recording: Path | bytes = SAMPLE, **params: Any) -> str:
        answer = self.post(recording=recording, params=params)
        assert answer.status_code == 201, answer.text
        identifier: str = answer.json()["identifier"]
        return identifier

    def task(self, identifier: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/task/{identifier}", timeout=30)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def finished(self, identifier: str, patience: float = PATIENCE) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            body = self.task(identifier)
            return body if body["status"] in ("COMPLETED", "FAILED", "CANCELLED") else None

        body: dict[str, Any] = until(ended, f"task {identifier} ends", patience)
        return body

    def claim_delay(self) -> float:
        """Seconds from the response of a POST until the task is claimed, on an idle service."""
        time.sleep(0.4)
        identifier = self.submit()
        posted = time.monotonic()
        until(lambda: self.task(identifier)["status"] != "QUEUED", "claimed", every=0.005)
        delay = time.monotonic() - posted
        self.finished(identifier)
        return delay

    def stop(self, number: int = signal.SIGTERM) -> None:
        for process in (self.worker, self.web):
            if process is not None and process.poll() is None:
                process.send_signal(number)
        for process in (self.worker, self.web):
            if process is not None:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _command(process: psutil.Process) -> list[str]:
    """The command line; empty for a dead or zombie process."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@contextlib.contextmanager
def running(folder: Path, **kwargs: Any) -> Iterator[Service]:
    service = Service(folder, **kwargs)
    try:
        yield service.start()
    finally:
        service.stop()
