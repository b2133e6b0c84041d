"""A receiver of webhooks, which answers as a test wants it to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Message:
    path: str
    headers: dict[str, str]
    body: str


Answer = Callable[[Message], tuple[int, dict[str, str]]]


class Receiver(ThreadingHTTPServer):
    """``answer`` returns status and headers; ``messages`` are all that arrived."""

    daemon_threads = True

    def __init__(self, answer: Answer, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.answer = answer
        self.messages: list[Message] = []
        self.open = 0
        self.most_open = 0
        self.url = f"http://{host}:{self.server_port}/hook?token=secret"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        message = Message(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.server.messages.append(message)
        self.server.open += 1
        self.server.most_open = max(self.server.most_open, self.server.open)
        try:
            status, headers = self.server.answer(message)
        finally:
            self.server.open -= 1
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def receiving(answer: Answer | int = 204, host: str = "127.0.0.1", **headers: str) -> Iterator[Receiver]:
    """Run a receiver; a number is the status of every answer."""
    chosen = answer if callable(answer) else lambda _message: (answer, headers)
    with Receiver(chosen, host) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
