"""HTTP(S) servers for download tests, which send exactly the bytes that a test gives them."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Answer = Callable[[str], Iterable[bytes]]


class Source(socketserver.ThreadingTCPServer):
    """A server; ``requests`` are the heads received, ``names`` the TLS server names. ``answer(path)`` yields bytes."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.answer = answer
        self.context = context
        self.requests: list[str] = []
        self.names: list[str | None] = []
        self.open = 0
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.port = int(self.server_address[1])
        self.url = f"{'https' if context else 'http'}://{host}:{self.port}"


class Handler(socketserver.BaseRequestHandler):
    server: Source

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            connection: socket.socket = self.request
            if self.server.context is not None:
                connection = self.server.context.wrap_socket(connection, server_side=True)
            head = b""
            # 0x16 starts a TLS handshake, which gets a plain answer.
            while b"\r\n\r\n" not in head and head[:1] != b"\x16":
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            self.server.requests.append(head.decode("latin-1"))
            path = head.decode("latin-1").split(" ")[1] if head.startswith(b"GET ") else ""
            self.server.open += 1
            try:
                for piece in self.server.answer(path):
                    connection.sendall(piece)
            finally:
                self.server.open -= 1
                connection.close()


@contextlib.contextmanager
def source(answer: Answer | bytes, **kwargs: Any) -> Iterator[Source]:
    """Run a server; ``answer`` as bytes is sent to every request."""
    fixed = answer if callable(answer) else lambda _path: [answer]
    with Source(fixed, **kwargs) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def answered(body: bytes, status: str = "200 OK", length: int | None = -1, **headers: str) -> bytes:
    """Build a response; ``length`` None omits the Content-Length, a number replaces it."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == -1 else length}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answered(b"", status, Location=location)


def dripping(head: bytes, pause: float = 0.05, piece: bytes = b"x") -> Iterator[bytes]:
    """Yield the head, then one piece after each pause, forever."""
    yield head
    while True:
        time.sleep(pause)
        yield piece
