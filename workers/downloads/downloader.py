"""Download recordings that clients named by URL: a few at once, one thread each, before a device claims the task.

One thread reads and writes the database; it also watches the downloads and aborts those that are slow, cancelled or cut
off by a stop. The download threads only fetch (workers/downloads/fetch.py). They are daemon threads, so that a name server
that does not answer cannot delay the end of the process.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import threading
import time
import uuid
from collections.abc import Callable

from peewee import DatabaseError, InterfaceError

from app.core.db import downloads, tasks
from app.core.db.connection import database
from app.core.db.downloads import Held
from app.core.db.notify import Watch
from app.core.errors import SpeechError
from app.core.net.addresses import Gate, Resolve, resolve
from app.core.settings import Settings
from app.core.storage.paths import folder_of
from app.core.storage.space import MEBIBYTE
from workers.downloads.fetch import Bounds, Fetch

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
LOOK_SECONDS = 2.0
REPORT_SECONDS = 1.0
LEDGER_PAUSE_SECONDS = 1.0
GOODBYE_SECONDS = 1.0


class Download:
    """One recording on its way, in a thread of its own; ``error`` is set when the thread has ended without it."""

    def __init__(self, held: Held, fetch: Fetch) -> None:
        self.held = held
        self.fetch = fetch
        self.error: SpeechError | None = None
        self.reported = 0.0
        self._thread = threading.Thread(target=self._run, name=f"download {held.uuid}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.fetch.run()
        except SpeechError as error:
            self.error = error
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            at = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "an unknown place"
            # never the exception's text, which may hold the URL with its secrets
            log.error("task %s: unforeseen %s at %s while downloading", self.held.uuid, type(error).__name__, at)
            say = "Internal error; see the server log."
            self.error = SpeechError("internal_error", say)


class Fetching:
    """The downloads of one supervisor, from ``start`` to ``stop``."""

    def __init__(
        self, settings: Settings, resolve: Resolve = resolve, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"{platform.node()}:{os.getpid()}:download:{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._gate = Gate(settings.fetch.allow, resolve)
        self._bounds = bounds(settings)
        self._clock = clock
        self._running: dict[str, Download] = {}
        self._watch = Watch()
        self._next_look = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="fetching", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End what runs, and give it back for the next start to begin again."""
        self._stopping.set()
        self._thread.join(2 * GOODBYE_SECONDS)

    def _serve(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self._guarded(self._tick)
        for running in self._running.values():
            running.fetch.abort(SpeechError("download_failed", "The service stopped."))
        deadline = self._clock() + GOODBYE_SECONDS
        for running in self._running.values():
            running.join(max(0.0, deadline - self._clock()))
        self._guarded(self._release)
        database.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do ``step``; trouble with the ledger, or what nobody foresaw, must not end the thread."""
        try:
            database.connect(reuse_if_open=True)
            step()
        except (DatabaseError, InterfaceError) as error:
            log.error("ledger unavailable for downloads, asked again soon: %s", error)
            database.close()
            self._stopping.wait(LEDGER_PAUSE_SECONDS)
        except Exception:
            log.exception("fetching: unforeseen trouble, going on")
            self._stopping.wait(LEDGER_PAUSE_SECONDS)

    def _tick(self) -> None:
        for running in self._running.values():
            running.fetch.watch()
        for running in [each for each in self._running.values() if each.ended]:
            self._settle(running)
            del self._running[running.held.uuid]  # only now: a verdict stays until the ledger has taken it
            self._next_look = 0.0
        for running in self._running.values():
            self._report(running)
        if self._watch.changed() or self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            self._look()

    def _look(self) -> None:
        """Keep the leases, drop what is no longer ours, and begin what waits."""
        held = downloads.renew(self.name)
        for identifier, running in self._running.items():
            if identifier not in held and not running.ended:
                running.fetch.abort(SpeechError("download_failed", "The task is no longer waiting for its recording."))
        while len(self._running) < self._settings.fetch.parallel and self._begin():
            pass
        downloads.forget()

    def _begin(self) -> bool:
        claimed = downloads.claim(self.name)
        if claimed is None:
            return False
        held, url = claimed
        if held.uuid not in self._running:  # else the lease ran out while the ledger was away, and is ours again
            folder = folder_of(self._settings.cache.path, held.uuid)
            self._running[held.uuid] = Download(held, Fetch(url, folder, self._bounds, self._gate))
            log.info("task %s: download begun", held.uuid)
        return True

    def _report(self, running: Download) -> None:
        if running.fetch.total and self._clock() - running.reported >= REPORT_SECONDS:
            running.reported = self._clock()
            downloads.report(running.held, running.fetch.fraction)

    def _settle(self, running: Download) -> None:
        held, error = running.held, running.error
        if error is None:
            word, ours = f"downloaded, {running.fetch.received} bytes", downloads.ready(held)
        else:
            word, ours = f"download failed ({error.code})", downloads.fail(held, error.code, error.message)
        log.info("task %s %s%s", held.uuid, word, "" if ours else ", but nobody waits for it: nothing written")
        if tasks.get(held.uuid) is None or (ours and error is not None):
            shutil.rmtree(folder_of(self._settings.cache.path, held.uuid), ignore_errors=True)

    def _release(self) -> None:
        for running in [each for each in self._running.values() if each.ended and each.error is None]:
            self._settle(running)
        downloads.release(self.name)


def bounds(settings: Settings) -> Bounds:
    """The limits of a download, from the settings."""
    fetch, limits = settings.fetch, settings.limits
    return Bounds(
        most_bytes=limits.max_upload_mb * MEBIBYTE,
        floor_bytes=limits.min_free_mb * MEBIBYTE,
        seconds=fetch.timeout,
        window=fetch.stall_seconds,
        least_per_window=fetch.min_kb_per_second * 1024 * fetch.stall_seconds,
    )
