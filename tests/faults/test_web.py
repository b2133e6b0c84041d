"""Kill web processes during an upload, around the commit of a task, and while they serve."""

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
from app.core.storage.folder import Folder
from tests.faults.faulty import FaultyService, faulty, is_gone
from tests.faults.injection import happened
from tests.service import SAMPLE, promptly, until
from workers.supervisor import purge

TWO_HOURS = 7200.0


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FaultyService]:
    """The web side without workers: tasks stay queued."""
    with faulty(tmp_path) as service:
        service.start_web()
        yield service


def list_tasks(service: FaultyService) -> list[str]:
    answer = until(lambda: try_to_list(service), "the web side answers again")
    return [task["identifier"] for task in answer.json()["tasks"]]


def try_to_list(service: FaultyService) -> requests.Response | None:
    try:
        return requests.get(f"{service.url}/task", timeout=30)
    except (requests.ConnectionError, requests.Timeout):
        return None


def list_folders(service: FaultyService) -> list[Path]:
    return [path for path in service.cache.iterdir() if path.name != "incoming"]


def purge_later(service: FaultyService) -> int:
    """Run the purge as if two hours had passed, and return how much it removed."""
    from app.core.db import connection

    connection.connect(service.environment["DB_URL"])
    try:
        return purge.purge_abandoned(Folder(service.cache), Cache(), now=lambda: time.time() + TWO_HOURS)
    finally:
        connection.database.close()


def start_upload(service: FaultyService) -> socket.socket:
    """Send the first part of an upload and return the open connection."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    connection.sendall(
        b"POST /transcription HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: 9000000\r\n\r\n" + head + b"x" * 200_000
    )
    until(lambda: list((service.cache / "incoming").glob("*.part")), "the upload has begun")
    return connection


def find_receiver(service: FaultyService) -> psutil.Process:
    """The web process that receives the upload."""
    assert service.web is not None
    for process in psutil.Process(service.web.pid).children():
        if any("incoming" in file.path for file in process.open_files()):
            return process
    raise AssertionError("no web process has the upload open")


def test_web_process_killed_during_an_upload_leaves_no_task(web: FaultyService) -> None:
    connection = start_upload(web)
    find_receiver(web).kill()
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000) == b"", "the connection is closed without an answer"
    assert list_tasks(web) == []
    (part,) = (web.cache / "incoming").iterdir()
    assert purge_later(web) == 1 and not part.exists()
    assert web.post().status_code == 201


def test_kill_before_the_commit_leaves_a_folder_that_the_purge_removes(web: FaultyService) -> None:
    fault = web.inject("before commit", "sigkill")
    with pytest.raises(requests.ConnectionError):
        web.post()
    assert happened(fault) == 1
    assert list_tasks(web) == []
    (orphan,) = list_folders(web)
    assert (orphan / "source").exists()
    assert purge_later(web) == 1 and not orphan.exists()


def test_kill_after_the_commit_leaves_a_complete_task(web: FaultyService) -> None:
    web.inject("after commit", "sigkill")
    with pytest.raises(requests.ConnectionError):
        web.post()
    (identifier,) = list_tasks(web)
    assert (web.cache / identifier / "source").read_bytes() == SAMPLE.read_bytes()
    assert purge_later(web) == 0
    web.start_worker()
    assert web.finished(identifier)["status"] == "COMPLETED"


def test_killed_gunicorn_frees_its_port_and_running_tasks_continue(tmp_path: Path) -> None:
    with faulty(tmp_path) as service:
        service.start()
        service.inject("transcribe", "pause")
        running, waiting = service.submit(), service.submit()
        assert service.web is not None
        family = psutil.Process(service.web.pid).children(recursive=True)
        assert len(family) >= 2
        service.web.kill()
        service.web.wait()
        until(lambda: all(is_gone(process) for process in family), "the web processes are gone", promptly(5))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", service.port))
        service.start_web()
        assert [service.finished(each)["status"] for each in (running, waiting)] == ["COMPLETED"] * 2
