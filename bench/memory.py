"""Measure the memory of the web processes."""

from __future__ import annotations

import http.client
import time
import uuid
import wave
from collections.abc import Iterator
from io import BytesIO

import psutil
import requests

from app.core.db import claims, connection, tasks
from app.core.db.states import BGM_SEPARATION
from app.core.db.tasks import Claim
from app.core.storage.paths import stems_folder
from bench import places
from bench.figures import MEGABYTE, Figure
from bench.peak import Peak
from tests.service import Service

REQUESTS = 100
MOVED_MEGABYTES = 1000
RESIDENT_MEGABYTES, GROWTH_MEGABYTES = 100.0, 20.0
BOUNDARY = "speech-bench"
CHUNK = bytes(256 * 1024)


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        yield from _measure_resident(service, "idle")
        _send_requests(service, 20 if quick else REQUESTS)
        yield from _measure_resident(service, "after requests")
        assert service.worker is not None
        service.worker.terminate()  # the upload, hours of silence, must not be transcribed
        service.worker.wait(30)
        size = (50 if quick else MOVED_MEGABYTES) * MEGABYTE
        yield from _measure_upload(service, size)
        yield from _measure_download(service, size)


def _web_processes(service: Service) -> dict[str, psutil.Process]:
    """Map names to gunicorn's processes."""
    assert service.web is not None
    arbiter = psutil.Process(service.web.pid)
    workers = {f"gunicorn worker {number}": child for number, child in enumerate(arbiter.children(), 1)}
    return {"gunicorn arbiter": arbiter, **workers}


def _measure_resident(service: Service, when: str) -> Iterator[Figure]:
    for name, process in _web_processes(service).items():
        yield Figure(f"{name}, {when}", process.memory_info().rss / MEGABYTE, "MB", RESIDENT_MEGABYTES)


def _send_requests(service: Service, count: int) -> None:
    """Submit a few tasks and poll them ``count`` times."""
    identifiers = [service.submit() for _ in range(max(1, count // 20))]
    for number in range(count):
        service.task(identifiers[number % len(identifiers)])
    for identifier in identifiers:
        service.finished(identifier)


def _measure_upload(service: Service, size: int) -> Iterator[Figure]:
    started = time.perf_counter()
    with Peak(list(_web_processes(service).values())) as peak:
        status = upload(service.port, size)
    assert status == 201, f"the upload was answered with {status}"
    yield from _figures(f"upload of {size // MEGABYTE} MB", time.perf_counter() - started, peak)


def _measure_download(service: Service, size: int) -> Iterator[Figure]:
    identifier = _create_separation(service, size)
    for name, path in (("stem", f"/task/{identifier}/file/vocals.wav"), ("ZIP", f"/task/file/{identifier}")):
        started, received = time.perf_counter(), 0
        with (
            Peak(list(_web_processes(service).values())) as peak,
            requests.get(service.url + path, stream=True, timeout=300) as answer,
        ):
            assert answer.status_code == 200, answer.text
            for chunk in answer.iter_content(len(CHUNK)):
                received += len(chunk)
        assert received >= size, f"received {received} of {size} bytes"
        yield from _figures(f"download of a {name} of {size // MEGABYTE} MB", time.perf_counter() - started, peak)


def _create_separation(service: Service, size: int) -> str:
    """Create a completed separation with a stem of ``size`` bytes.

    The stem is a sparse file, which takes no disk space.
    """
    opened = connection.connect(service.environment["DB_URL"])
    identifier = str(uuid.uuid4())
    tasks.submit(identifier, BGM_SEPARATION, {}, "a.wav", [])
    row = next(row for row in iter(lambda: claims.claim("bench"), None) if row.uuid == identifier)
    folder = stems_folder(service.cache, identifier, row.claim_no)
    folder.mkdir(parents=True)
    with (folder / "vocals.wav").open("wb") as file:
        file.truncate(size)
    assert tasks.complete(Claim(identifier, row.claim_no, "bench"), "filepath", "{}", [], 1.0)
    opened.close()
    return identifier


def _figures(label: str, seconds: float, peak: Peak) -> Iterator[Figure]:
    yield Figure(label, seconds, "s")
    yield Figure("gunicorn's processes, most growth during it", peak.growth / MEGABYTE, "MB", GROWTH_MEGABYTES)


def upload(port: int, size: int) -> int:
    """POST a WAV file of ``size`` bytes of silence, generated while it is sent.

    Return the status code.
    """
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="silence.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", "/transcription", _body(head, size, tail), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _body(head: bytes, size: int, tail: bytes) -> Iterator[bytes]:
    header = _wav_header(size)
    yield head + header
    left = size - len(header)
    while left:
        sent = CHUNK[:left]
        left -= len(sent)
        yield sent
    yield tail


def _wav_header(size: int) -> bytes:
    """The WAV header of a 16 kHz mono file of ``size`` bytes in total."""
    written = BytesIO()
    file = wave.open(written, "wb")
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16_000)
    file.setnframes((size - 44) // 2)
    file.writeframesraw(b"")  # writes the header; close() would correct the length to the actual one
    return written.getvalue()
