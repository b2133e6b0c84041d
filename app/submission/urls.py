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
    if not fetch.enabled:
        return unknown | {"file_url": ["Downloading by URL is disabled on this server; upload the file instead."]}
    try:
        parse_url(url)
    except SpeechError as error:
        return unknown | {"file_url": [_describe(error)]}
    return unknown


def check_host(target: Target, fetch: Fetch, field: str = FILE_URL) -> None:
    """Answer 422 for an unknown or blocked host, naming the parameter ``field``.

    If the lookup takes longer than LOOKUP_SECONDS, the URL is accepted: a web thread must not wait longer, and the
    addresses are checked again before the connection.
    """
    gate = Gate(fetch.allow)
    # An IP address needs no lookup, and so no thread.
    verdict = _find_objection(gate, target) if is_literal(target.host) else _check_name(gate, target)
    # The name server gave no answer; it will be asked again before the connection.
    if isinstance(verdict, UnresolvedError) and not verdict.surely:
        return
    if isinstance(verdict, SpeechError):
        reject({field: [_describe(verdict)]})
    if verdict is not None:
        raise verdict


def _check_name(gate: Gate, target: Target) -> Exception | None:
    """Resolve and check a host name in limited time.

    Returns the error, or None when there is none or time runs out. The lookup runs in a thread, because the system's
    resolver has no timeout.
    """
    answer: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(_find_objection(gate, target))
        finally:
            _lookups.release()

    deadline = time.monotonic() + LOOKUP_SECONDS
    if not _lookups.acquire(timeout=LOOKUP_SECONDS):
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
    sent = (parse_query(request).get(FILE_URL, ""), request.form.get(FILE_URL, ""))
    return next((url.strip() for url in sent if url.strip()), None)
