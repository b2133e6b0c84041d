"""Requests to the service that outlast a busy server and a lost connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.auth import AuthBase

PATIENCE_SECONDS = 600.0  # of a server that cannot be reached or is not available
LONGEST_RETRY_SECONDS = 600.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
CONNECT_SECONDS, READ_SECONDS = 10.0, 300.0
Say = Callable[[str], None]
BUSY, UNAVAILABLE = 429, (408, 502, 503, 504)


class ServerError(Exception):
    """A request that failed for good, as a sentence for a person."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Stopped(Exception):  # noqa: N818 - not an error
    """The user has stopped the command."""


class Server:
    """One service.

    ``stop`` ends all waiting. ``patience``: seconds without an answer before a request fails.
    """

    def __init__(
        self, url: str, key: str | None, stop: threading.Event | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.url = url.rstrip("/")
        self.stop = stop or threading.Event()
        self._auth, self._patience = KeyAuth(key), patience
        self._local = threading.local()

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        say: Say = lambda _: None,
        patience: float | None = None,
    ) -> requests.Response:
        return self.request(lambda session: session.get(self.url + path, params=query), say, patience)

    def post(self, path: str) -> requests.Response:
        return self.request(lambda session: session.post(self.url + path, allow_redirects=False))

    def request(
        self,
        send: Callable[[requests.Session], requests.Response],
        say: Say = lambda _: None,
        patience: float | None = None,
    ) -> requests.Response:
        """Send a request until it is answered, and return the answer.

        ``send`` may be called several times. ``say`` is called with the reason for each pause. Raises ServerError for an
        error that a repetition does not change, Stopped when the user stops the command.
        """
        lost_since: float | None = None
        pause = FIRST_PAUSE
        patience = self._patience if patience is None else patience
        while True:
            if self.stop.is_set():
                raise Stopped
            try:
                answer = send(self._session())
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                if self.stop.is_set():
                    raise Stopped from error
                problem, wait = f"{self.url} cannot be reached: {describe(error)}", pause
            except requests.RequestException as error:
                raise ServerError(f"{self.url}: {error}") from error
            else:
                if answer.status_code != BUSY and answer.status_code not in UNAVAILABLE:
                    return require_success(answer)
                problem, wait = read_error(answer), read_retry_after(answer) or pause
                if wait > LONGEST_RETRY_SECONDS:
                    raise ServerError(f"{problem} (may be tried again in {wait:.0f} s)", answer.status_code)
                if answer.status_code == BUSY:
                    lost_since = None  # it works, and will have room later
                    say(problem)
                    self.sleep(wait)
                    continue
            lost_since = time.monotonic() if lost_since is None else lost_since
            if time.monotonic() - lost_since + wait > patience:
                raise ServerError(problem)
            say(problem)
            self.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped when the user stops the command."""
        if self.stop.wait(seconds):
            raise Stopped

    def _session(self) -> requests.Session:
        """Return this thread's session: requests does not promise that threads can share one."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = Session()
            session.auth = self._auth
        return session


class Session(requests.Session):
    """A session whose requests have time limits."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().request(*args, **kwargs)


class KeyAuth(AuthBase):
    """Send the API key.

    As ``auth`` of a session, it also keeps requests from sending a password of ~/.netrc instead.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def require_success(answer: requests.Response) -> requests.Response:
    """Return the answer; raise ServerError if it is an error or a redirect."""
    if answer.status_code == 401:
        raise ServerError("The service wants an API key: set SPEECH_API_KEY, or use --key.", 401)
    if answer.is_redirect:
        place = answer.headers["Location"]
        raise ServerError(f"The service is at another address: {place}. Use it with --url.", answer.status_code)
    if not answer.ok:
        raise ServerError(read_error(answer), answer.status_code)
    return answer


def read_error(answer: requests.Response) -> str:
    """Return the message of an error with those of its fields."""
    try:
        body = answer.json()
        message, errors = str(body["message"]), body.get("errors") or {}
        details = [f"{name}: {' '.join(map(str, says))}" for name, says in errors.items()]
    except (ValueError, KeyError, TypeError, AttributeError):  # not from the service, but from a proxy
        return f"HTTP {answer.status_code} {answer.reason} from {answer.url}"
    return " ".join([message, *details])


def read_json(answer: requests.Response) -> dict[str, Any]:
    """Return the answer's JSON object; raise ServerError if it is something else."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServerError(f"{answer.url} does not answer like the speech service; check --url.")
    return body


def read_retry_after(answer: requests.Response) -> float | None:
    """Return the seconds of Retry-After; None without a number."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def describe(error: Exception) -> str:
    """Name the cause of a failed connection in a few words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        reason = getattr(cause, "reason", None)
        cause = reason if isinstance(reason, BaseException) else cause.__cause__ or cause.__context__
    return "no answer in time" if isinstance(error, requests.Timeout) else "the connection was lost"
