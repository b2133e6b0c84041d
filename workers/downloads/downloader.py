"""Download recordings by URL, a few at once.

A device can claim such a task only after its download.

One thread uses the database; it also watches the downloads and aborts them when they are slow or cancelled, or when the
service stops. Each download runs in a thread of its own (workers/downloads/fetch.py): a daemon thread, so that a DNS
server that does not answer cannot delay the exit of the process.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial

from app.core.db import downloads, tasks
from app.core.db.downloads import DownloadClaim
from app.core.db.notify import Watch
from app.core.errors import SpeechError
from app.core.net.addresses import Gate, Resolve, resolve
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from app.core.storage.space import MEBIBYTE
from app.core.storage.storage import Storage, StorageUnavailableError
from workers.background import GOODBYE_SECONDS, BackgroundThread
from workers.downloads.fetch import Fetch, Limits

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between looks for queued downloads, unless a notification comes first
REPORT_SECONDS = 1.0  # between progress reports of a download
STORAGE_PAUSE_SECONDS = 1.0


class Download:
    """One running download in its own thread.

    ``error`` is set when it has failed.
    """

    def __init__(self, held: DownloadClaim, fetch: Fetch, storage: Storage) -> None:
        self.held = held
        self.fetch = fetch
        self._storage = storage
        self._is_received = False
        self.error: SpeechError | None = None
        self.reported = 0.0
        self._thread = threading.Thread(target=self._run, name=f"download {held.uuid}", daemon=True)
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        return not self._thread.is_alive()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def watch(self) -> None:
        """Abort it when it takes too long or is too slow."""
        if not self._is_received:
            self.fetch.watch()

    def _keep(self) -> None:
        """Store what was received, again and again while the storage does not answer."""
        while True:
            self.fetch.raise_if_aborted()
            try:
                self._storage.keep_download(self.held.uuid)
                return
            except StorageUnavailableError:  # downloading it again would take longer
                time.sleep(STORAGE_PAUSE_SECONDS)

    def _run(self) -> None:
        try:
            self.fetch.run()
            self._is_received = True
            self._keep()
        except SpeechError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the task fails, and its downloader goes on
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            at = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "an unknown place"
            # not the exception's text, which may hold the URL with its secrets
            log.error("task %s: unexpected %s at %s while downloading", self.held.uuid, type(error).__name__, at)
            self.error = SpeechError("internal_error", "Internal error; see the server log.")


class Downloader(BackgroundThread):
    """The downloads of one supervisor, from ``start`` to ``stop``."""

    def __init__(
        self, settings: Settings, resolve: Resolve = resolve, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("downloads")
        self.name = f"{platform.node()}:{os.getpid()}:download:{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._storage = open_storage(settings)
        self._gate = Gate(settings.fetch.allow, resolve)
        self._bounds = make_limits(settings)
        self._clock = clock
        self._running: dict[str, Download] = {}
        self._watch = Watch()
        self._next_look = 0.0

    def finish(self) -> None:
        for running in self._running.values():
            running.fetch.abort(SpeechError("download_failed", "The service stopped."))
        deadline = self._clock() + GOODBYE_SECONDS
        for running in self._running.values():
            running.join(max(0.0, deadline - self._clock()))

    def tick(self) -> None:
        for running in self._running.values():
            running.watch()
        for running in [each for each in self._running.values() if each.is_finished]:
            self._write_outcome(running)
            del self._running[running.held.uuid]  # last: if the database fails, the next tick tries again
            self._next_look = 0.0
        for running in self._running.values():
            self._report(running)
        if self._watch.has_changed() or self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            self._renew_and_start()

    def _renew_and_start(self) -> None:
        """Renew the leases, abort downloads whose task is gone, start waiting ones."""
        held = downloads.renew(self.name)
        for identifier, running in self._running.items():
            if identifier not in held and not running.is_finished:
                running.fetch.abort(SpeechError("download_failed", "The task no longer needs its recording."))
        while len(self._running) < self._settings.fetch.parallel and self._start_next():
            pass
        downloads.clear_ended_urls()

    def _start_next(self) -> bool:
        claimed = downloads.claim(self.name)
        if claimed is None:
            return False
        held, url = claimed
        if (
            held.uuid not in self._running
        ):  # else its lease expired while the database was down, and this claim renewed it
            fetch = Fetch(url, self._storage.locate_download(held.uuid), self._bounds, self._gate)
            self._running[held.uuid] = Download(held, fetch, self._storage)
            log.info("task %s: download started", held.uuid)
        return True

    def _report(self, running: Download) -> None:
        if running.fetch.total and self._clock() - running.reported >= REPORT_SECONDS:
            running.reported = self._clock()
            downloads.report(running.held, running.fetch.fraction)

    def _write_outcome(self, running: Download) -> None:
        held, error = running.held, running.error
        if error is None:
            outcome, ours = f"downloaded, {running.fetch.received} bytes", downloads.mark_downloaded(held)
        else:
            outcome, ours = f"download failed ({error.code})", downloads.fail(held, error.code, error.message)
        log.info(
            "task %s %s%s", held.uuid, outcome, "" if ours else "; ignored, as this process no longer holds the task"
        )
        if tasks.get(held.uuid) is None or (ours and error is not None):
            self._storage.run_removal(partial(self._storage.discard, held.uuid))

    def release(self) -> None:
        for running in [each for each in self._running.values() if each.is_finished and each.error is None]:
            self._write_outcome(running)
        downloads.release(self.name)


def make_limits(settings: Settings) -> Limits:
    """Build the limits of a download from the settings."""
    fetch, limits = settings.fetch, settings.limits
    return Limits(
        most_bytes=limits.max_upload_mb * MEBIBYTE,
        floor_bytes=limits.min_free_mb * MEBIBYTE,
        seconds=fetch.timeout,
        window=fetch.stall_seconds,
        least_per_window=fetch.min_kb_per_second * 1024 * fetch.stall_seconds,
    )
