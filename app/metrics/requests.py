"""Count the requests of this web process and how long they take.

Each process adds its counts to the totals in the database every few seconds; only these are shown. A scrape therefore
gets the sum over all processes, whichever process answers it.
"""

from __future__ import annotations

import logging
import threading
import time

from flask import Flask, Response, current_app, request
from peewee import DatabaseError, InterfaceError

from app.core.db import request_totals
from app.core.db.connection import database
from app.core.db.request_totals import Kind
from app.facade import find_facade

# Upper bounds of the histogram's buckets: status requests take milliseconds, uploads and waiting clients up to hours.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER = "other"  # a client can invent methods, but not labels
NATIVE = "native"
STORE_SECONDS = 5.0
_BEGAN = "speech.began"
_COUNTER = "speech.request_counter"

log = logging.getLogger(__name__)


class RequestCounter:
    """The counts of this process that are not in the database yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Kind, tuple[int, float]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, facade: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        bound = next((bound for bound in BOUNDS if seconds <= bound), float("inf"))
        self._add({Kind(facade, method if method in METHODS else OTHER, status, bound): (1, seconds)})

    def store(self) -> None:
        """Add the counts to the totals in the database.

        If that fails, they are kept for the next time.
        """
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            request_totals.add(counts)
        except BaseException:
            self._add(counts)
            raise

    def start(self) -> None:
        """Start a thread that stores the counts every STORE_SECONDS."""
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store the counts a last time."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STORE_SECONDS)

    def _add(self, counts: dict[Kind, tuple[int, float]]) -> None:
        with self._lock:
            for kind, (requests, seconds) in counts.items():
                before = self._counts.get(kind, (0, 0.0))
                self._counts[kind] = (before[0] + requests, before[1] + seconds)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(STORE_SECONDS)
            try:
                with database.connection_context():
                    self.store()
            except (DatabaseError, InterfaceError) as error:
                log.warning("counts of requests cannot be stored; trying again in %.0f s: %s", STORE_SECONDS, error)


def count_requests(app: Flask) -> None:
    """Count each request from its head to its answer; an upload is part of it, a streamed answer is not.

    Call it before other handlers are registered: it then begins first and ends last.
    """
    counter = RequestCounter()
    app.extensions[_COUNTER] = counter

    @app.before_request
    def begin() -> None:
        request.environ[_BEGAN] = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        facade = find_facade()
        seconds = time.monotonic() - request.environ.get(_BEGAN, time.monotonic())
        counter.count(facade.name if facade else NATIVE, request.method, response.status_code, seconds)
        return response


def get_counter(app: Flask | None = None) -> RequestCounter:
    """Return the counter of ``app`` (default: the current one)."""
    counter: RequestCounter = (app or current_app).extensions[_COUNTER]
    return counter
