"""Web processes die at the worst moments: no task without its recording, no acknowledged task lost, no port blocked."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from app.core.settings import Cache
from tests.faults.faulty import FaultyService, faulty, is_gone
from tests.faults.injection import happened
from tests.service import SAMPLE, promptly, until
from workers.supervisor import purge

TWO_HOURS = 7200.0


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FaultyService]:
    """The web side alone: what it accepts waits."""
    with faulty(tmp_path) as service:
        service.start_web()
        yield service


def listed(service: FaultyService) -> list[str]:
    answer = until(lambda: answered(service), "the web side answers again")
    return [task["identifier"] for task in answer.json()["tasks"]]


def answered(service: FaultyService) -> requests.Response | None:
    try:
        return requests.get(f"{service.url}/task", timeout=30)
    except (requests.ConnectionError, requests.Timeout):
        return None


def folders(service: FaultyService) -> list[Path]:
    return [path for path in service.cache.iterdir() if path.name != "incoming"]


def swept(service: FaultyService) -> int:
    """What the purge removes that nobody has touched for two hours."""
    from app.core.db import connection

    connection.connect(service.environment["DB_URL"])
    try:
        return purge.purge_abandoned(Cache(path=service.cache), now=lambda: time.time() + TWO_HOURS)
    finally:
        connection.database.close()


def slow_upload(service: FaultyService) -> socket.socket:
    """A connection on which half a recording has been sent."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    connection.sendall(
        b"POST /transcription HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: 9000000\r\n\r\n" + head + b"x" * 200_000
    )
    until(lambda: list((service.cache / "incoming").glob("*.part")), "the upload has begun")
    return connection


def holder_of(service: FaultyService) -> psutil.Process:
    """The web process that has the half recording open."""
    assert service.web is not None
    for process in psutil.Process(service.web.pid).children():
        if any("incoming" in file.path for file in process.open_files()):
            return process
    raise AssertionError("nobody writes the upload")


def test_fault_5_web_worker_killed_in_the_middle_of_an_upload(web: FaultyService) -> None:
    connection = slow_upload(web)
    holder_of(web).kill()
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000) == b"", "the client sees that nobody answers"
    assert listed(web) == []
    (part,) = (web.cache / "incoming").iterdir()
    assert swept(web) == 1 and not part.exists()
    assert web.post().status_code == 201


def test_fault_6_killed_between_rename_and_commit_leaves_a_folder_that_is_swept(web: FaultyService) -> None:
    order = web.order("before commit", "sigkill")
    with pytest.raises(requests.ConnectionError):
        web.post()
    assert happened(order) == 1
    assert listed(web) == []
    (orphan,) = folders(web)
    assert (orphan / "source").exists()
    assert swept(web) == 1 and not orphan.exists()


def test_fault_6_killed_between_commit_and_answer_the_task_exists(web: FaultyService) -> None:
    web.order("after commit", "sigkill")
    with pytest.raises(requests.ConnectionError):
        web.post()
    (identifier,) = listed(web)
    assert (web.cache / identifier / "source").read_bytes() == SAMPLE.read_bytes()
    assert swept(web) == 0
    web.start_worker()
    assert web.finished(identifier)["status"] == "COMPLETED"


def test_fault_4_killed_arbiter_leaves_no_port_bound_and_no_task_waiting(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        service.order("transcribe", "pause")
        running, waiting = service.submit(), service.submit()
        assert service.web is not None
        family = psutil.Process(service.web.pid).children(recursive=True)
        assert len(family) >= 2
        service.web.kill()
        service.web.wait()
        until(lambda: all(is_gone(process) for process in family), "gunicorn's orphans are gone", promptly(5))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", service.port))
        service.start_web()
        assert [service.finished(each)["status"] for each in (running, waiting)] == ["COMPLETED"] * 2
