"""Slow, silent and refused clients do not block gunicorn's threads; a stop lets uploads finish."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import requests

from app.server.worker import HEAD_BYTES
from tests.app.server.conftest import THREADS, Client, ImpatientService, StartWeb, form, upload_head
from tests.service import ROOT, Service, until

Connect = Callable[[Service], Client]

MEBIBYTE = 1024 * 1024
MANY = 40
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def impatient(start_web: StartWeb) -> Service:
    return start_web(ImpatientService)


def is_alive(web: Service) -> bool:
    return requests.get(f"{web.url}/health/live", timeout=20).status_code == 200


def with_answer(clients: list[Client]) -> list[Client]:
    """The clients that have received something."""
    readable, _, _ = select.select([client.socket for client in clients], [], [], 0)
    return [client for client in clients if client.socket in readable]


def test_connections_stalled_in_headers_hold_no_thread(web: Service, connect: Connect) -> None:
    for _ in range(MANY):
        connect(web).send(b"GET /health/live HTTP/1.1\r\nHost: local")
        connect(web).send(GET + b"GET /health/live HTTP/1.1\r\n").answer()
    assert is_alive(web)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /task HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"get /task HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /t\xc3\xa4sk HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /task HTTP/3.9\r\nHost: localhost\r\n\r\n",
        b"GET /task HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["nul", "method", "path", "version", "length"],
)
def test_malformed_head_is_answered_in_the_error_shape(web: Service, connect: Connect, head: bytes) -> None:
    answer, body = connect(web).send(head).answer().split(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Content-Type: application/json" in answer
    error = json.loads(body)
    assert (error["code"], error["status"]) == (400, "Bad Request") and error["message"]


def test_long_prompts_may_travel_in_the_query(web: Service) -> None:
    answer = requests.post(f"{web.url}/transcription?initial_prompt={'x' * 10_000}&hotwords={'y' * 10_000}", timeout=20)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["file"])


def test_connection_stalled_in_headers_is_closed(impatient: Service, connect: Connect) -> None:
    web = impatient
    silent, stalled, kept = connect(web), connect(web).send(GET[:-2]), connect(web).send(GET)
    kept.answer()
    kept.send(GET[:10])
    assert silent.is_closed() and stalled.is_closed() and kept.is_closed()


def test_headers_in_small_pieces_and_several_requests_at_once_are_served(web: Service, connect: Connect) -> None:
    client = connect(web)
    for byte in GET:
        client.send(bytes([byte]))
    assert client.answer().startswith(b"HTTP/1.1 200")
    client.send(GET * 3)
    received = b""
    while received.count(b'{"status":"ok"}\n') < 3:
        received += client.answer()
    assert received.count(b"HTTP/1.1 200") == 3


def test_endless_headers_are_refused(web: Service, connect: Connect) -> None:
    answer = connect(web).send(GET[:-2] + b"X: " + b"x" * HEAD_BYTES).answer()
    assert answer.startswith(b"HTTP/1.1 431") and b'"code": 431' in answer


def test_malformed_headers_are_answered_at_once(web: Service, connect: Connect) -> None:
    assert connect(web).send(b"GET / HTTP/1.1\nHost: localhost\n").answer().startswith(b"HTTP/1.1 400")


def test_stalled_uploads_leave_threads_for_other_requests(start_web: StartWeb, connect: Connect) -> None:
    web = start_web()
    stalled = [connect(web).send(upload_head(9_000_000) + form(bytes(300_000))[:200_000]) for _ in range(MANY)]
    until(lambda: len(list((web.cache / "incoming").glob("*.part"))) == THREADS // 2, "half of the threads upload", 30)
    assert is_alive(web), "while refused clients keep their connections open"
    refused = MANY - THREADS // 2
    answered = until(lambda: len(found := with_answer(stalled)) == refused and found, f"{refused} are refused", 30)
    for client in answered:
        answer = client.answer()
        assert answer.startswith(b"HTTP/1.1 429") and b"Too many uploads" in answer
        assert b"Retry-After: 5\r\n" in answer and b"Connection: close\r\n" in answer
    admitted = [client for client in stalled if client not in answered]
    for client in admitted:
        client.close()
    until(lambda: web.post().status_code == 201, "their threads are free again", 30)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b", "application/x-www-form-urlencoded"])
def test_too_slow_body_is_closed_with_408(impatient: Service, connect: Connect, content_type: str) -> None:
    web = impatient
    for _ in range(THREADS):  # one after the other: each gives its thread back
        client = connect(web).send(upload_head(900_000, content_type=content_type) + form()[:100])
        answer = client.answer()
        assert answer.startswith(b"HTTP/1.1 408") and b"Connection: close\r\n" in answer
        assert b"less than 1 kB/s" in answer
        assert client.is_closed()
    assert list((web.cache / "incoming").glob("*.part")) == []


def test_too_slow_chunked_body_is_closed_with_408(impatient: Service, connect: Connect) -> None:
    head = upload_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    client = connect(impatient).send(head + b"400\r\n" + form()[:100])
    assert client.answer().startswith(b"HTTP/1.1 408") and client.is_closed()


def test_minimum_rate_of_0_disables_the_check(start_web: StartWeb, connect: Connect) -> None:
    web = start_web(ImpatientService, limits={"min_upload_kb_per_second": 0.0})
    body = form()
    client = connect(web).send(upload_head(len(body)) + body[:100])
    time.sleep(2.5)  # two windows and a half
    assert client.send(body[100:]).answer().startswith(b"HTTP/1.1 201")


@pytest.fixture(scope="module")
def full(start_web: StartWeb) -> Service:
    """A server whose queue is full."""
    web = start_web(limits={"max_queued": 1})
    assert web.post().status_code == 201
    return web


def test_full_queue_is_answered_before_the_body(full: Service, connect: Connect) -> None:
    client = connect(full).send(upload_head(20 * MEBIBYTE) + form()[:4000])
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 429") and b"queue is full" in answer
    assert b"Connection: close\r\n" in answer
    assert client.is_closed()


def test_full_queue_reads_little_of_a_fast_sender(full: Service, connect: Connect) -> None:
    client = connect(full).send(upload_head(4000 * MEBIBYTE) + form(bytes(MEBIBYTE))[:MEBIBYTE])
    sent, much = 0, 40 * MEBIBYTE  # more than both socket buffers hold
    with contextlib.suppress(ConnectionError):
        while sent < much:
            sent += client.socket.send(bytes(65536))
    assert sent < much


def test_full_queue_asks_no_client_to_continue(full: Service, connect: Connect) -> None:
    client = connect(full).send(upload_head(20 * MEBIBYTE, "Expect: 100-continue"))
    assert client.answer().startswith(b"HTTP/1.1 429") and client.is_closed()


def test_accepted_upload_is_asked_to_continue(web: Service, connect: Connect) -> None:
    body = form()
    client = connect(web).send(upload_head(len(body), "Expect: 100-continue"))
    assert client.answer(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = client.send(body).answer()
    assert answer.startswith(b"HTTP/1.1 201") and b"Connection: keep-alive" in answer
    assert client.send(GET).answer().startswith(b"HTTP/1.1 200")


def test_stop_lets_an_upload_finish(start_web: StartWeb, connect: Connect) -> None:
    web = start_web()
    body = form(bytes(300_000))
    client = connect(web).send(upload_head(len(body)) + body[:200_000])
    until(lambda: list((web.cache / "incoming").glob("*.part")), "the upload has begun")
    assert web.web is not None
    web.web.send_signal(signal.SIGTERM)
    until(lambda: "Handling signal: term" in web.log("web.log"), "gunicorn stops")
    time.sleep(6.0)  # longer than honcho would wait
    assert client.send(body[200_000:]).answer().startswith(b"HTTP/1.1 201")
    assert web.web.wait(20) == 0


@pytest.mark.parametrize(("under", "seconds"), [({}, 60), ({"HONCHO_PROCESS_NAME": "web.1"}, 4)])
def test_graceful_stop_ends_before_the_process_manager_kills(under: dict[str, str], seconds: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HONCHO_PROCESS_NAME"} | under
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--print-config", "wsgi:app"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("graceful_timeout ")]
    assert line.split("=")[1].strip() == str(seconds)
