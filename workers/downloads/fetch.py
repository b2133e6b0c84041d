"""Download one recording to cache/<identifier>/source, with limits on addresses, bytes, time and disk space.

Downloads run in threads of the supervisor (workers/downloads/downloader.py). In the web process, they would block a thread
for minutes and be lost with the process; in a device process, they would block the device. After a crash, the task's row
says what still has to be downloaded.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from urllib3.response import BaseHTTPResponse

from app.core.errors import SpeechError
from app.core.net.addresses import Gate, Target, parse_url
from app.core.storage.durable import sync_file, sync_folder
from app.core.storage.paths import SOURCE
from app.core.storage.space import MEBIBYTE, has_space
from workers.connection import CheckedConnection
from workers.downloads import http_response

CHUNK = 256 * 1024
SPACE_CHECK_BYTES = 8 * MEBIBYTE
CONNECT_SECONDS = 10.0
MOST_REDIRECTS = 5
HEADERS = {
    "User-Agent": "speech-api",
    "Accept": "audio/*, video/*, */*;q=0.5",
    "Accept-Encoding": "identity",  # a compressed answer could be a decompression bomb
    "Connection": "close",
}


@dataclass(frozen=True)
class Limits:
    """Limits of a download.

    Its size, the free disk space to leave, its duration in seconds, and the bytes required per ``window`` seconds.
    """

    most_bytes: int
    floor_bytes: int
    seconds: float
    window: float
    least_per_window: float


class Fetch:
    """One download: call ``run`` in its own thread, ``watch`` and ``abort`` from another."""

    def __init__(
        self, url: str, folder: Path, bounds: Limits, gate: Gate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.received = 0
        self.total: int | None = None
        self._url = url
        self._folder = folder
        self._bounds = bounds
        self._gate = gate
        self._clock = clock
        self._aborted: SpeechError | None = None
        self._connection = CheckedConnection(min(CONNECT_SECONDS, bounds.window), bounds.window)
        self._began = self._window_began = clock()
        self._window_received = 0

    @property
    def fraction(self) -> float:
        """Received share of the Content-Length, 0–1.

        0 while it is unknown.
        """
        return min(1.0, self.received / self.total) if self.total else 0.0

    def run(self) -> None:
        """Download to ``folder``/source, durably.

        Raises SpeechError and leaves no file then.
        """
        part = self._folder / f"{SOURCE}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._folder.mkdir(exist_ok=True)
            for stale in self._folder.glob(f"{SOURCE}.*.part"):  # left by a killed process
                stale.unlink(missing_ok=True)
            with part.open("wb") as file:
                self._receive(file)
                sync_file(file)
            self.raise_if_aborted()
            part.rename(self._folder / SOURCE)
            for folder in (self._folder, self._folder.parent):  # the task's folder itself may be new
                sync_folder(folder)
        except Exception as error:
            reported = self._aborted or http_response.translate_error(error)
            if reported is error:
                raise
            raise reported from error
        finally:
            part.unlink(missing_ok=True)

    def watch(self) -> None:
        """Abort the download when it takes too long or is too slow."""
        now = self._clock()
        if now - self._began > self._bounds.seconds:
            self.abort(
                http_response.download_error(
                    f"The download was not complete after {self._bounds.seconds:.0f} s (fetch.timeout)."
                )
            )
        elif now - self._window_began > self._bounds.window:
            arrived = self.received - self._window_received
            if arrived < self._bounds.least_per_window:
                self.abort(
                    http_response.download_error(
                        f"The server sent only {arrived} bytes in {self._bounds.window:.0f} s."
                    )
                )
            self._window_began, self._window_received = now, self.received

    def abort(self, error: SpeechError) -> None:
        """Make ``run`` raise ``error`` at once.

        Only a connection attempt may last its CONNECT_SECONDS.
        """
        self._aborted = self._aborted or error
        self._connection.abort()

    def raise_if_aborted(self) -> None:
        """Raise the error with which the download was aborted."""
        if self._aborted is not None:
            raise self._aborted

    def _receive(self, file: BinaryIO) -> None:
        target = parse_url(self._url)
        for hop in range(MOST_REDIRECTS + 1):
            try:
                addresses = self._check_target(target, hop)
                answer = self._connection.send(target, addresses, HEADERS, check=self.raise_if_aborted)
                with contextlib.closing(answer) as response:
                    if response.status not in http_response.REDIRECTS:
                        self._store(response, file)
                        return
                    target = http_response.parse_redirect(target, response)
            finally:
                self._connection.close()
        raise http_response.download_error(f"The URL redirects more than {MOST_REDIRECTS} times.")

    def _check_target(self, target: Target, hop: int) -> list[str]:
        try:
            return self._gate.admit(target)
        except SpeechError as error:
            if hop == 0:
                raise
            raise http_response.redirect_error(error) from error

    def _store(self, response: BaseHTTPResponse, file: BinaryIO) -> None:
        self.total = http_response.read_length(response)
        if self.total is not None and self.total > self._bounds.most_bytes:
            raise self._too_large()
        self._check_room(self.total or 0)
        checked = 0  # bytes received at the last check; other writers may fill the disk meanwhile
        while chunk := response.read1(CHUNK, decode_content=False):
            self.raise_if_aborted()
            self.received += len(chunk)
            if self.received > self._bounds.most_bytes:
                raise self._too_large()
            if self.received - checked > SPACE_CHECK_BYTES:
                checked = self.received
                self._check_room(0)
            file.write(chunk)
        self.raise_if_aborted()
        if self.received == 0:
            raise http_response.download_error("The server sent an empty file.")

    def _check_room(self, incoming: int) -> None:
        if not has_space(self._folder, self._bounds.floor_bytes, incoming):
            raise http_response.download_error("There is not enough disk space on the server for this recording.")

    def _too_large(self) -> SpeechError:
        return http_response.download_error(
            f"The recording is larger than the limit of {self._bounds.most_bytes // MEBIBYTE} MB."
        )
