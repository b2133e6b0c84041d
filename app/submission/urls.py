"""Check a recording's URL before the task is accepted; workers/downloads does the download."""

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
_lookups = threading.BoundedSemaphore(8)


def validate_url(url: str, files: Collection[str], fetch: Fetch) -> dict[str, list[str]]:
    """What is wrong with a request that names its recording by ``url``, by field; nothing is looked up for it."""
    unknown = {name: [uploads.UNKNOWN_FIELD] for name in files if name != "file"}
    if "file" in files:
        return unknown | {"file_url": ["Give either file or file_url, not both."]}
    if not fetch.enabled:
        return unknown | {"file_url": ["This server does not fetch recordings; upload the file."]}
    try:
        parse_url(url)
    except SpeechError as error:
        return unknown | {"file_url": [_describe(error)]}
    return unknown


def check_host(target: Target, fetch: Fetch) -> None:
    """Answer 422 when the host does not exist or is not open to clients.

    A name service that takes longer than LOOKUP_SECONDS decides nothing: a web thread must not wait for it, and the
    download asks again anyway, for the addresses that it connects to.
    """
    gate = Gate(fetch.allow)
    verdict = _find_objection(gate, target) if is_literal(target.host) else _check_name(gate, target)
    if isinstance(verdict, UnresolvedError) and not verdict.surely:
        return
    if isinstance(verdict, SpeechError):
        reject({"file_url": [_describe(verdict)]})
    if verdict is not None:
        raise verdict


def _check_name(gate: Gate, target: Target) -> Exception | None:
    """The verdict on a name, or None when it is not there in time; the system's look-up itself cannot be given a limit."""
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
    """The URL in the request's query or form; empty text is none, since some clients send every field."""
    return parse_query(request).get(FILE_URL) or request.form.get(FILE_URL) or None
