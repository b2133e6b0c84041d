"""The web side on a port of this machine, a thread that completes its tasks, and a user with an empty home."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from app.cli.server import Server
from app.core.db import claims, connection, tasks
from app.core.db.tasks import Claim
from app.current import get_settings

RESULT = [{"id": 0, "start": 0.5, "end": 1.25, "text": "grüß dich", "words": [], "speaker": None}]
SRT = "1\n00:00:00,500 --> 00:00:01,250\ngrüß dich\n\n"
BAD = b"this is no sound"

Fault = Callable[[dict[str, Any], Any], Iterable[bytes] | None]


class Served:
    """The web side on a port; ``faults`` may answer a request instead of it."""

    def __init__(self, web: Flask) -> None:
        self._web = web
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.server: BaseWSGIServer | None = None
        self.port = 0
        self.start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        for fault in self.faults:
            answer = fault(environ, start_response)
            if answer is not None:
                return answer
        return self._web(environ, start_response)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def uploads(self) -> int:
        return self.requests.count("POST /transcription")

    def start(self) -> None:
        self.server = make_server("127.0.0.1", self.port, self, threaded=True)
        self.port = self.server.port
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def stop(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()


class Worker:
    """Completes tasks in a thread; recordings that are BAD fail. It waits while ``paused`` is set."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self.paused, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with connection.database.connection_context():
            while not self._stopped.wait(0.02):
                row = None if self.paused.is_set() else claims.claim("me")
                if row is None:
                    continue
                claim = Claim(row.uuid, row.claim_no, "me")
                if (self._cache / row.uuid / "source").read_bytes() == BAD:
                    tasks.fail(claim, "invalid_media", "The recording cannot be decoded.", [], 0.1)
                else:
                    result = json.dumps(RESULT, ensure_ascii=False)
                    tasks.complete(claim, "json", result, json.loads(row.warnings), 0.1)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has never run the command, in an empty folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for name in ("SPEECH_URL", "SPEECH_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the command makes; they last 20 ms only."""
    made: list[float] = []
    sleep = Server.sleep

    def shortly(self: Server, seconds: float) -> None:
        made.append(seconds)
        sleep(self, min(seconds, 0.02))

    monkeypatch.setattr(Server, "sleep", shortly)
    return made


@pytest.fixture
def served(web: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served(web)
    monkeypatch.setenv("SPEECH_URL", served.url)
    yield served
    served.stop()


@pytest.fixture
def worker(served: Served, web: Flask) -> Iterator[Worker]:
    worker = Worker(get_settings(web).cache.path)
    yield worker
    worker.stop()


def until(condition: Callable[[], Any], what: str, patience: float = 120.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
