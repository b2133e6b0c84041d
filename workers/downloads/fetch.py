"""Download one recording to cache/<identifier>/source: from checked addresses only, with limits on bytes, time and space.

Downloads run in threads of the supervisor (workers/downloads/downloader.py). A web thread would be blocked for minutes and its
download lost with its process; a device process would block its device. After a crash, the committed row says what is still
to be downloaded.

urllib3's connections are used one by one, without its pools, for three reasons: they connect to the very address that was
checked while Host, SNI and the certificate keep the name; they ignore proxies; and their socket is accessible, so that
``abort`` can end even a server that sends one byte of a header at a time.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from app.core.errors import SpeechError
from app.core.net.addresses import Gate, Target, parse
from app.core.storage.durable import sync_file, sync_folder
from app.core.storage.paths import SOURCE
from app.core.storage.space import MEBIBYTE, has_space
from workers.downloads import http_response

CHUNK = 256 * 1024
SPACE_CHECK_BYTES = 8 * MEBIBYTE
CONNECT_SECONDS = 10.0
MOST_REDIRECTS = 5
HEADERS = {
    "User-Agent": "speech-api",
    "Accept": "audio/*, video/*, */*;q=0.5",
    "Accept-Encoding": "identity",  # what came compressed might unfold without end
    "Connection": "close",
}


@dataclass(frozen=True)
class Bounds:
    """How much a download may take: bytes, free bytes to leave, seconds, and bytes that every ``window`` seconds must bring."""

    most_bytes: int
    floor_bytes: int
    seconds: float
    window: float
    least_per_window: float


class Fetch:
    """One download. ``run`` does it; ``watch`` and ``abort`` are for another thread, which ticks meanwhile."""

    def __init__(
        self, url: str, folder: Path, bounds: Bounds, gate: Gate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.received = 0
        self.total: int | None = None
        self._url = url
        self._folder = folder
        self._bounds = bounds
        self._gate = gate
        self._clock = clock
        self._aborted: SpeechError | None = None
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._began = self._window_began = clock()
        self._window_received = 0

    @property
    def fraction(self) -> float:
        """How much of the announced length has come; 0 while none is known."""
        return min(1.0, self.received / self.total) if self.total else 0.0

    def run(self) -> None:
        """Leave the recording, durable, at ``folder``/source. Raises SpeechError, and leaves nothing then."""
        part = self._folder / f"{SOURCE}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._folder.mkdir(exist_ok=True)
            for stale in self._folder.glob(f"{SOURCE}.*.part"):  # of a process that was killed
                stale.unlink(missing_ok=True)
            with part.open("wb") as file:
                self._receive(file)
                sync_file(file)
            self._go_on()
            part.rename(self._folder / SOURCE)
            for folder in (self._folder, self._folder.parent):
                sync_folder(folder)
        except Exception as error:
            told = self._aborted or http_response.told(error)
            if told is error:
                raise
            raise told from error
        finally:
            part.unlink(missing_ok=True)

    def watch(self) -> None:
        """Abort when it takes too long altogether, or brought too little in the last window."""
        now = self._clock()
        if now - self._began > self._bounds.seconds:
            self.abort(http_response.failed(f"The download was not complete after {self._bounds.seconds:.0f} s."))
        elif now - self._window_began > self._bounds.window:
            brought = self.received - self._window_received
            if brought < self._bounds.least_per_window:
                self.abort(
                    http_response.failed(f"The server sent only {brought} bytes in {self._bounds.window:.0f} s.")
                )
            self._window_began, self._window_received = now, self.received

    def abort(self, error: SpeechError) -> None:
        """Make ``run`` raise ``error``, whatever it waits for; a connection that is just being made has CONNECT_SECONDS."""
        with self._lock:
            self._aborted = self._aborted or error
            connected = self._connection.sock if self._connection else None
            for waiting in {self._socket, connected} - {None}:
                with contextlib.suppress(OSError):  # TLS has taken its place, or it is closed already
                    # the base class's: a TLS socket's own would forget that it is one
                    socket.socket.shutdown(waiting, socket.SHUT_RDWR)  # type: ignore[arg-type]

    def _go_on(self) -> None:
        if self._aborted is not None:
            raise self._aborted

    def _receive(self, file: BinaryIO) -> None:
        target = parse(self._url)
        for hop in range(MOST_REDIRECTS + 1):
            try:
                with contextlib.closing(self._answer(target, self._admitted(target, hop))) as response:
                    if response.status not in http_response.REDIRECTS:
                        self._store(response, file)
                        return
                    target = http_response.redirected(target, response)
            finally:
                self._close()
        raise http_response.failed(f"The URL redirects more than {MOST_REDIRECTS} times.")

    def _admitted(self, target: Target, hop: int) -> list[str]:
        try:
            return self._gate.admit(target)
        except SpeechError as error:
            if hop == 0:
                raise
            raise http_response.after_redirect(error) from error

    def _answer(self, target: Target, addresses: list[str]) -> BaseHTTPResponse:
        """The head of the answer from the first address that takes the connection."""
        for number, address in enumerate(addresses):
            try:
                connection = self._connect(target, address)
                break
            except OSError as error:  # urllib3's own are HTTPErrors
                if number == len(addresses) - 1 or isinstance(error, ssl.SSLError):
                    raise
            except HTTPError:
                if number == len(addresses) - 1:
                    raise
            finally:
                self._go_on()
        headers = {"Host": target.authority, **HEADERS}
        connection.request("GET", target.path, headers=headers, preload_content=False, decode_content=False)
        return connection.getresponse()

    def _connect(self, target: Target, address: str) -> HTTPConnection:
        timeout = min(CONNECT_SECONDS, self._bounds.window)
        connection: HTTPConnection
        if target.scheme == "https":
            connection = HTTPSConnection(
                address, target.port, timeout=timeout, server_hostname=target.host, ssl_context=http_response.trust()
            )
        else:
            connection = HTTPConnection(address, target.port, timeout=timeout)
        with self._lock:
            self._connection = connection
        connection.connect()
        connection.timeout = self._bounds.window  # urllib3 sets it anew for the request and the answer
        with self._lock:
            self._socket = connection.sock
        return connection

    def _close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._socket = None

    def _store(self, response: BaseHTTPResponse, file: BinaryIO) -> None:
        self.total = http_response.length(response)
        if self.total is not None and self.total > self._bounds.most_bytes:
            raise self._too_large()
        self._check_room(self.total or 0)
        checked = 0
        while chunk := response.read1(CHUNK, decode_content=False):
            self._go_on()
            self.received += len(chunk)
            if self.received > self._bounds.most_bytes:
                raise self._too_large()
            if self.received - checked > SPACE_CHECK_BYTES:
                checked = self.received
                self._check_room(0)
            file.write(chunk)
        self._go_on()
        if self.received == 0:
            raise http_response.failed("The server sent an empty file.")

    def _check_room(self, incoming: int) -> None:
        if not has_space(self._folder, self._bounds.floor_bytes, incoming):
            raise http_response.failed("The server has no room for this recording.")

    def _too_large(self) -> SpeechError:
        return http_response.failed(
            f"The recording is larger than the {self._bounds.most_bytes // MEBIBYTE} MB that are accepted."
        )
