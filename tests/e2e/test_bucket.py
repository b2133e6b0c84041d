"""Web side and workers on two machines that share only the database and a bucket; each has a cache/ of its own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from app.core.storage.ownership import MARK
from tests.conftest import require_weed
from tests.object_store import ObjectStoreServer
from tests.service import SAMPLE, Service, promptly, until, write_config


class TwoMachines(Service):
    """The web side and the workers of one service, with a folder for each."""

    def __init__(self, folder: Path, store: ObjectStoreServer) -> None:
        super().__init__(folder, config=write_config(folder, workers={"retry_pause": 0.5}))
        self.url_of_files = store.new_url()
        self.environment |= store.environment(self.url_of_files)
        self.theirs = folder / "cache of the workers"

    def start_worker(self) -> None:
        self.environment["CACHE_DIR"] = str(self.theirs)
        super().start_worker()

    def local_files(self) -> list[Path]:
        return [path for cache in (self.cache, self.theirs) for path in cache.rglob("*") if path.is_file()]

    @contextlib.contextmanager
    def suspended_workers(self) -> Iterator[None]:
        assert self.worker is not None
        supervisor = psutil.Process(self.worker.pid)
        supervisor.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            supervisor.send_signal(signal.SIGCONT)

    def again(self, identifier: str) -> requests.Response:
        return requests.post(f"{self.url}/task/{identifier}/again", timeout=60)


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStoreServer]:
    """A store that the tests stop and start again."""
    with ObjectStoreServer(require_weed()) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, store: ObjectStoreServer) -> Iterator[TwoMachines]:
    service = TwoMachines(tmp_path_factory.mktemp("machines"), store)
    try:
        service.start()
        yield service
    finally:
        service.stop()


def test_two_machines_share_recordings_and_stems(service: TwoMachines, store: ObjectStoreServer) -> None:
    transcribed = service.submit()
    separated = service.post("/bgm-separation").json()["identifier"]
    assert service.finished(transcribed)["status"] == "COMPLETED"
    task = service.finished(separated)
    assert task["status"] == "COMPLETED"
    for file in task["result"]["files"]:
        address = f"{service.url}/task/{separated}/file/{file['name']}"
        whole = requests.get(address, timeout=30)
        assert (whole.status_code, len(whole.content)) == (200, file["size"])
        part = requests.get(address, headers={"Range": "bytes=100-199"}, timeout=30)
        assert (part.status_code, part.content) == (206, whole.content[100:200])
        assert requests.get(f"{service.url}/task/{separated}/waveform?file={file['name']}", timeout=30).ok
    sent = requests.get(f"{service.url}/task/{transcribed}/recording", timeout=30)
    assert sent.content == SAMPLE.read_bytes()
    until(lambda: not service.local_files(), "no file stays on the local disks", promptly(5))
    for identifier in (transcribed, separated):
        assert requests.delete(f"{service.url}/task/{identifier}", timeout=30).status_code == 204
    assert store.list_keys(service.url_of_files) == [MARK]


def test_nothing_is_lost_while_the_store_is_away(service: TwoMachines, store: ObjectStoreServer) -> None:
    with service.suspended_workers():
        identifier = service.post("/vad").json()["identifier"]
        store.stop()
    try:
        refused = service.post("/vad")
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert service.again(identifier).status_code == 503
        assert requests.get(f"{service.url}/health/ready", timeout=30).status_code == 503
        assert len(requests.get(f"{service.url}/task", timeout=30).json()["tasks"]) == 1
        said = f"task {identifier} returned to the queue: the storage is not available"
        until(lambda: service.log("worker.log").count(said) >= 3, "as many outages as a task may have crashes")
        assert "does not answer (storage.endpoint)" in service.log("worker.log")
    finally:
        store.start()
    task = service.finished(identifier)
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
    assert service.finished(service.again(identifier).json()["identifier"])["status"] == "COMPLETED"
