"""1 GiB goes to a bucket and back in bounded memory: `pytest -m storm tests/app/server/test_large_files.py`."""

from __future__ import annotations

import uuid
from pathlib import Path

import psutil
import pytest
import requests

from app.core.db import claims, connection, tasks
from app.core.db.states import BGM_SEPARATION
from app.core.db.tasks import Claim
from app.core.settings import load
from app.core.storage.opening import open_storage
from bench.memory import upload
from bench.peak import Peak
from tests.object_store import ObjectStoreServer
from tests.service import Service

MEGABYTE = 1_000_000
SIZE = 1024 * 1024 * 1024
MOST_RESIDENT = 150 * MEGABYTE


def web_processes(service: Service) -> list[psutil.Process]:
    assert service.web is not None
    return psutil.Process(service.web.pid).children()


@pytest.mark.storm
def test_a_gigabyte_through_a_bucket_takes_little_memory(tmp_path: Path, own_store: ObjectStoreServer) -> None:
    service = Service(tmp_path)
    service.environment |= own_store.environment(own_store.new_url())
    service.start_web()
    try:
        processes = web_processes(service)
        with Peak(processes) as peak:
            assert upload(service.port, SIZE) == 201
        uploaded = peak.highest
        identifier = separated(service, tmp_path)
        with Peak(processes) as peak:
            received = 0
            with requests.get(f"{service.url}/task/{identifier}/file/vocals.wav", stream=True, timeout=300) as answer:
                for chunk in answer.iter_content(1024 * 1024):
                    received += len(chunk)
        assert received == SIZE
        print(f"resident: {uploaded / MEGABYTE:.0f} MB in the upload, {peak.highest / MEGABYTE:.0f} MB in the download")
        assert max(uploaded, peak.highest) < MOST_RESIDENT
    finally:
        service.stop()


def separated(service: Service, folder: Path) -> str:
    """Complete a separation with a stem of SIZE bytes in the bucket."""
    settings = load(service.environment, root=folder)
    opened, storage = connection.connect(settings.db_url), open_storage(settings)
    identifier = str(uuid.uuid4())
    tasks.submit(identifier, BGM_SEPARATION, {}, "a.wav", [])
    row = next(row for row in iter(lambda: claims.claim("test"), None) if row.uuid == identifier)
    with storage.write_stems(identifier, row.claim_no) as stems:
        stems.mkdir()
        with (stems / "vocals.wav").open("wb") as file:
            file.truncate(SIZE)
    assert tasks.complete(Claim(identifier, row.claim_no, "test"), "filepath", "{}", [], 1.0)
    opened.close()
    return identifier
