"""gunicorn's threaded worker, hardened against slow clients.

gunicorn's own gthread worker blocks a thread while the head of a request trickles in, blocks its main loop for up to
2 s when it closes a connection, sends ``100 Continue`` before the application has seen the request, and answers a
malformed request with HTML. This module overrides these four; tests/app/server/test_worker.py fails when a new
gunicorn works differently.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

from app.auth import warn_if_open
from app.current import get_settings
from app.metrics.requests import get_counter
from app.server import pace

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
HEAD_BYTES = 32 * 1024
LINGER_SECONDS = 2.0  # for the client to close its side
LINGER_BYTES = 64 * 1024  # to discard meanwhile
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer a request that never reaches the application.

    The same shape as the application's errors, instead of gunicorn's HTML.
    """
    util.write_nonblock(sock, make_error(status, reason, message))


def make_error(status: int, reason: str, message: str) -> bytes:
    body = json.dumps({"code": status, "status": reason, "message": message or f"{reason}; see the server log."}) + "\n"
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()  # json.dumps writes ASCII only


# Used by gunicorn's Worker.handle_error, which knows the status of each of the parser's errors.
util.write_error = write_error
TOO_LARGE = make_error(431, "Request Header Fields Too Large", "The request's headers are too long.")


class PacedUnreader(SocketUnreader):
    """Reads from the client's socket.

    Heads are read without waiting, bodies at a measured pace.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.pace: pace.Pace | None = None
        self.expects_continue = False

    def read_available(self) -> bool:
        """Buffer the part of the head that has arrived.

        Returns False when the client has closed the connection.
        """
        self.sock.setblocking(False)
        while not self.has_head() and not self.is_too_long():
            try:
                data = self.sock.recv(self.mxchunk)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.buf.seek(0, os.SEEK_END)
            self.buf.write(data)
        return True

    def has_head(self) -> bool:
        """Whether gunicorn can parse the head without reading on.

        It can when the head is complete or has an error.
        """
        data = self.buf.getvalue().removeprefix(b"\r\n")  # the parser skips one empty line
        # The parser rejects a line that ends without a carriage return, so there is no need to wait for the rest.
        head, end, _ = data.partition(b"\r\n\r\n")
        return bool(end) or head.count(b"\n") != head.count(b"\r\n")

    def is_too_long(self) -> bool:
        return not self.has_head() and len(self.buf.getvalue()) > HEAD_BYTES

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Read the next bytes of a body."""
        if self.expects_continue:
            self.expects_continue = False
            self.sock.sendall(CONTINUE)
        read = partial(super().chunk, size_hint)
        data: bytes = self.pace.receive(self.sock, read) if self.pace else read()
        return data


class RefusableRequest(Request):
    """A request that may be answered before its body.

    The body may not have arrived by then, and the connection is closed.
    """

    def should_close(self) -> bool:
        return bool(super().should_close()) or self.awaits_body()

    def awaits_body(self) -> bool:
        """Whether part of the body is still to come.

        Reading on to the next request could then mean gigabytes.
        """
        reader = self.body.reader
        if isinstance(reader, ChunkedReader):
            return reader.parser is not None  # dropped after the last chunk
        return bool(reader.length > self.unreader.buf.getbuffer().nbytes)


class RefusableParser(RequestParser):
    mesg_class = RefusableRequest

    def __init__(self, cfg: Any, sock: socket.socket, client: Any) -> None:
        super().__init__(cfg, sock, client)
        self.unreader = PacedUnreader(sock)


class PatientWorker(ThreadWorker):
    """Waits for slow clients in the poller.

    Neither an incomplete head nor a closing connection occupies a thread.
    """

    def load_wsgi(self) -> None:
        super().load_wsgi()
        if self.age == 1:  # the first of the web processes
            warn_if_open()
        self.least_kb = get_settings(self.wsgi).limits.min_upload_kb_per_second

    def run(self) -> None:
        counter = get_counter(self.wsgi)
        counter.start()
        try:
            super().run()
        finally:
            counter.stop()

    def enqueue_req(self, conn: Any) -> None:
        """Give ``conn`` a thread once its head is complete."""
        if conn.cfg.is_ssl:  # the handshake needs a thread
            super().enqueue_req(conn)
            return
        if conn.parser is None:
            conn.parser = RefusableParser(conn.cfg, conn.sock, conn.client)
            conn.initialized = True
            conn.head_deadline = None
        try:
            is_open = conn.parser.unreader.read_available()
        except OSError:
            is_open = False
        if not is_open:
            self._drop(conn)
        elif conn.parser.unreader.is_too_long():
            self._refuse_head(conn)
        elif conn.parser.unreader.has_head():
            conn.head_deadline = None
            super().enqueue_req(conn)
        else:
            conn.head_deadline = conn.head_deadline or time.monotonic() + HEAD_SECONDS
            self._wait(conn, conn.head_deadline, partial(self.on_pending_socket_readable, conn))

    def handle_request(self, req: Any, conn: Any) -> Any:
        if conn.cfg.is_ssl:
            return super().handle_request(req, conn)
        unreader = conn.parser.unreader
        unreader.pace = pace.Pace(self.least_kb, pace.WINDOW_SECONDS) if self.least_kb else None
        # Send 100 Continue with the first read of the body: a client whose upload is refused then never sends it.
        unreader.expects_continue = req._expected_100_continue
        req._expected_100_continue = False
        try:
            return super().handle_request(req, conn)
        finally:
            # The next request of a kept-alive connection has the same unreader.
            unreader.pace, unreader.expects_continue = None, False

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        if conn.cfg.is_ssl or fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time has run out.

        Either the head of a request is incomplete, or the client does not close.
        """
        now = time.monotonic()
        for conn in [conn for conn in self.pending_conns if conn.timeout <= now]:
            self._forget(conn)
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """At a stop, close idle connections by ``deadline``.

        A connection is idle when no request has begun on it.
        """
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            if not conn.parser.unreader.buf.getbuffer().nbytes:
                conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: Any, deadline: float, when_readable: Any) -> None:
        conn.sock.setblocking(False)
        conn.timeout = deadline
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, when_readable)

    def _forget(self, conn: Any) -> None:
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _refuse_head(self, conn: Any) -> None:
        log.warning("request refused: headers longer than %d bytes", HEAD_BYTES)
        # The socket is non-blocking here: this runs in the main loop, which must not wait for a client.
        try:
            conn.sock.send(TOO_LARGE)
        except OSError:
            self._drop(conn)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Wait for the client to close the connection first.

        Closing it while unread bytes remain would reset it, and the response may be lost (RFC 9112, section 9.6).
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.drained = 0
        self._wait(conn, time.monotonic() + LINGER_SECONDS, partial(self._drain, conn))

    def _drain(self, conn: Any, sock: socket.socket) -> None:
        try:
            data = sock.recv(LINGER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        # End when the client has closed, or sends more than is worth reading.
        conn.drained += len(data)
        if not data or conn.drained > LINGER_BYTES:
            self._forget(conn)
            self._drop(conn)
