"""Check the URL of a recording or a webhook before accepting the task.

The connection itself is made later, in workers/downloads and workers/webhooks.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection

from flask import Request

from app.api.query import parse_query
from app.core.errors import SpeechError
from app.core.net.addresses import Gate, Target, UnresolvedError, is_literal, parse_url
from app.core.params import FILE_URL
from app.core.settings import Fetch
from app.http_errors import reject
from app.submission import uploads

LOOKUP_SECONDS = 3.0
_lookups = threading.BoundedSemaphore(8)  # bounds the threads that a slow resolver can hold


def validate_url(url: str, files: Collection[str], fetch: Fetch) -> dict[str, list[str]]:
    """List what is wrong with ``url``, by field.

    ``files``: names of the request's file fields. No host name is resolved.
    """
    unknown = {name: [uploads.UNKNOWN_FIELD] for name in files if name != "file"}
    if "file" in files:
        return unknown | {"file_url": ["Give either file or file_url, not both."]}
    problem = find_mistake(url, fetch)
    return unknown | {"file_url": [problem]} if problem else unknown


def find_mistake(url: str, fetch: Fetch) -> str | None:
    """Say what is wrong with ``url``; None if nothing is. No host name is resolved."""
    if not fetch.enabled:
        return "Downloading by URL is disabled on this server; upload the file instead."
    try:
        parse_url(url)
    except SpeechError as error:
        return _describe(error)
    return None


def check_host(target: Target, fetch: Fetch, field: str = FILE_URL) -> None:
    """Answer 422 for an unknown or blocked host, naming the parameter ``field``.

    If the lookup takes longer than LOOKUP_SECONDS, the URL is accepted: a web thread must not wait longer, and the
    addresses are checked again before the connection.
    """
    problem = find_host_error(target, fetch, LOOKUP_SECONDS)
    if problem:
        reject({field: [problem]})


def find_host_error(target: Target, fetch: Fetch, seconds: float) -> str | None:
    """Say why a host is refused; None if it is not, or if the lookup takes longer than ``seconds``."""
    gate = Gate(fetch.allow)
    # An IP address needs no lookup, and so no thread.
    verdict = _find_objection(gate, target) if is_literal(target.host) else _check_name(gate, target, seconds)
    # The name server gave no answer; it will be asked again before the connection.
    if isinstance(verdict, UnresolvedError) and not verdict.surely:
        return None
    if isinstance(verdict, SpeechError):
        return _describe(verdict)
    if verdict is not None:
        raise verdict
    return None


def _check_name(gate: Gate, target: Target, seconds: float) -> Exception | None:
    """Resolve and check a host name in ``seconds``.

    Returns the error, or None when there is none or time runs out. The lookup runs in a thread, because the system's
    resolver has no timeout.
    """
    answer: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(_find_objection(gate, target))
        finally:
            _lookups.release()

    deadline = time.monotonic() + seconds
    if not _lookups.acquire(timeout=max(0.0, seconds)):
        return None
    threading.Thread(target=look_up, name="look up", daemon=True).start()
    try:
        return answer.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


def _find_objection(gate: Gate, target: Target) -> Exception | None:
    try:
        gate.admit(target)
    except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
        return error
    return None


def _describe(error: SpeechError) -> str:
    return str(error) if error.code == "blocked_address" else error.message


def read_file_url(request: Request) -> str | None:
    """Return the URL in the request's query or form.

    Empty text counts as none, since some clients send every field.
    """
    return next(iter(read_file_urls(request)), None)


def read_file_urls(request: Request) -> list[str]:
    """Return all URLs in the request's query, then those in its form."""
    sent = [*parse_query(request).getlist(FILE_URL), *request.form.getlist(FILE_URL)]
    return [url.strip() for url in sent if url.strip()]
