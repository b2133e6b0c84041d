"""One attempt to deliver a message."""

from __future__ import annotations

import contextlib
import http.client
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from app.core.db.deliveries import Delivery
from app.core.errors import SpeechError
from app.core.net.addresses import Gate, UnresolvedError, parse_url
from workers.connection import CheckedConnection

CONNECT_SECONDS = 10.0
PHRASES = {status.value: f" {status.phrase}" for status in HTTPStatus}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What came of an attempt.

    ``status`` is None without an answer. ``error`` is empty if the message was delivered. ``retry_after`` is in seconds.
    """

    status: int | None
    error: str = ""
    retry_after: float = 0.0


class Attempt:
    """One request, in its own thread, which ends within ``seconds``.

    ``watch`` must be called regularly. ``answer`` is None until the attempt has finished.
    """

    def __init__(
        self,
        held: Delivery,
        headers: Mapping[str, str],
        gate: Gate,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.held = held
        self.answer: Answer | None = None
        self._headers = headers
        self._gate = gate
        self._seconds = seconds
        self._clock = clock
        self._deadline = clock() + seconds
        self._aborted = False
        self._connection = CheckedConnection(min(CONNECT_SECONDS, seconds), seconds)
        self._thread = threading.Thread(target=self._run, name=f"webhook {held.task}", daemon=True)
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        return not self._thread.is_alive()

    def watch(self) -> None:
        """Abort the attempt when its time is over."""
        if self._clock() > self._deadline:
            self.abort()

    def abort(self) -> None:
        self._aborted = True
        self._connection.abort()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.answer = self._send()
        except Exception as error:  # noqa: BLE001 - the message is sent again later
            self.answer = Answer(None, self._describe(error))
        finally:
            self._connection.close()

    def _send(self) -> Answer:
        target = parse_url(self.held.receiver.url)
        addresses = self._gate.admit(target)
        body = self.held.body.encode()
        response = self._connection.send(target, addresses, self._headers, "POST", body, self._check_time)
        with contextlib.closing(response):  # the body of the answer is not read
            status = response.status
            if 200 <= status < 300:
                return Answer(status)
            say = f"The receiver answered {status}{PHRASES.get(status, '')}."
            return Answer(status, say, read_retry_after(response.headers.get("Retry-After", ""), time.time()))

    def _check_time(self) -> None:
        # The name server may have taken longer than the lease, and another supervisor may be sending the message by now.
        if self._aborted or self._clock() > self._deadline:
            raise TimeoutError

    def _describe(self, error: Exception) -> str:
        """Describe an error. Its own text is not used: it may hold the URL or the host."""
        if self._aborted or isinstance(error, TimeoutError | HTTPTimeoutError):
            return f"The receiver did not answer within {self._seconds:.0f} s."
        if isinstance(error, UnresolvedError):
            return "The receiver's host name cannot be resolved."
        if isinstance(error, SpeechError):
            return "The receiver's address is neither public nor allowed by the operator (fetch.allow)."
        if isinstance(error, ssl.SSLCertVerificationError):
            return "The receiver's certificate is not valid for its host."
        if isinstance(error, ssl.SSLError):
            return "The TLS connection to the receiver failed."
        if isinstance(error, HTTPError | http.client.HTTPException | OSError):
            return "The connection to the receiver failed."
        log.error("task %s: unexpected %s in its webhook", self.held.task, type(error).__name__)
        return "Internal error; see the server log."


def read_retry_after(text: str, now: float) -> float:
    """Return the seconds of a header Retry-After, which has seconds or a date; 0 if it cannot be read."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
