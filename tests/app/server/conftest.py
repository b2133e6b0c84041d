"""A real gunicorn with one process and few threads, and raw connections to it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.service import SAMPLE, Service, until, write_config

THREADS = 4
PATIENCE = 30.0

StartWeb = Callable[..., Service]


class ImpatientService(Service):
    """The web side with timeouts of 1 s instead of 10 or 30 s."""

    def start_web(self) -> None:
        self.web = self._start("gunicorn", "-c", "gunicorn.conf.py", "tests.app.server.impatient:app", log="web.log")
        until(self.alive, "web answers", patience=60)


@pytest.fixture(scope="module")
def start_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartWeb]:
    """Start gunicorn with changed settings; it runs until the end of the module."""
    with contextlib.ExitStack() as stack:

        def start(kind: type[Service] = Service, **sections: Any) -> Service:
            sections["server"] = {"processes": 1, "threads": THREADS} | sections.get("server", {})
            folder = tmp_path_factory.mktemp("web")
            service = kind(folder, config=write_config(folder, **sections))
            stack.callback(service.stop)
            service.start_web()
            return service

        yield start


@pytest.fixture(scope="module")
def web(start_web: StartWeb) -> Service:
    return start_web()


class Client:
    """A raw connection to the server."""

    def __init__(self, service: Service) -> None:
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)

    def send(self, data: bytes) -> Client:
        self.socket.sendall(data)
        return self

    def answer(self, end: bytes = b"}\n") -> bytes:
        """Read until ``end``, or until the server closes the connection."""
        received = b""
        while not received.endswith(end):
            piece = self.socket.recv(65536)
            if not piece:
                break
            received += piece
        return received

    def is_closed(self) -> bool:
        """Wait for the next byte; True if the server closes the connection instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[Service], Client]]:
    with contextlib.ExitStack() as stack:

        def open_client(service: Service) -> Client:
            client = Client(service)
            stack.callback(client.close)
            return client

        yield open_client


def upload_head(length: int, *headers: str, content_type: str = "multipart/form-data; boundary=b") -> bytes:
    lines = ["POST /transcription HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def form(content: bytes = b"") -> bytes:
    """A form with a recording."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n'
    return head + (content or SAMPLE.read_bytes()) + b"\r\n--b--\r\n"
