"""What the web processes hold in memory: idle, after requests, and while a large upload comes in."""

from __future__ import annotations

import http.client
import threading
import time
import wave
from collections.abc import Iterator
from io import BytesIO

import psutil

from bench import places
from bench.figures import MEGABYTE, Figure
from tests.service import Service

REQUESTS = 100
UPLOAD_MEGABYTES = 500
SAMPLED_SECONDS = 1 / 20
RESIDENT_MEGABYTES, GROWTH_MEGABYTES = 100.0, 20.0
BOUNDARY = "speech-bench"
CHUNK = bytes(256 * 1024)


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        yield from _resident(service, "idle")
        _requests(service, 20 if quick else REQUESTS)
        yield from _resident(service, "after requests")
        assert service.worker is not None
        service.worker.terminate()  # hours of silence shall be received, not transcribed
        service.worker.wait(30)
        yield from _while_uploading(service, (50 if quick else UPLOAD_MEGABYTES) * MEGABYTE)


def _web(service: Service) -> dict[str, psutil.Process]:
    """gunicorn's processes by name."""
    assert service.web is not None
    arbiter = psutil.Process(service.web.pid)
    workers = {f"gunicorn worker {number}": child for number, child in enumerate(arbiter.children(), 1)}
    return {"gunicorn arbiter": arbiter, **workers}


def _resident(service: Service, when: str) -> Iterator[Figure]:
    for name, process in _web(service).items():
        yield Figure(f"{name}, {when}", process.memory_info().rss / MEGABYTE, "MB", RESIDENT_MEGABYTES)


def _requests(service: Service, count: int) -> None:
    """Some submissions, many questions."""
    identifiers = [service.submit() for _ in range(max(1, count // 20))]
    for number in range(count):
        service.task(identifiers[number % len(identifiers)])
    for identifier in identifiers:
        service.finished(identifier)


def _while_uploading(service: Service, size: int) -> Iterator[Figure]:
    before = {name: process.memory_info().rss for name, process in _web(service).items()}
    highest, ended = dict(before), threading.Event()

    def watch() -> None:
        processes = _web(service)
        while not ended.wait(SAMPLED_SECONDS):
            for name, process in processes.items():
                highest[name] = max(highest[name], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        status = upload(service.port, size)
    finally:
        ended.set()
        watcher.join()
    assert status == 201, f"the upload was answered with {status}"
    label = f"upload of {size // MEGABYTE} MB"
    yield Figure(label, time.perf_counter() - started, "s")
    for name in highest:
        yield Figure(f"{name}, growth during it", (highest[name] - before[name]) / MEGABYTE, "MB", GROWTH_MEGABYTES)


def upload(port: int, size: int) -> int:
    """POST a WAV file of ``size`` bytes of silence that exists nowhere as a whole; the answer's status."""
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
    """The header of a 16 kHz mono file of ``size`` bytes in all."""
    written = BytesIO()
    file = wave.open(written, "wb")
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16_000)
    file.setnframes((size - 44) // 2)
    file.writeframesraw(b"")  # writes the header; closing the file would correct it to what was written
    return written.getvalue()
