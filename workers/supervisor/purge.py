"""Remove expired files, tasks and uploads, and abandoned ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from apscheduler.schedulers.background import BackgroundScheduler

from app.core.db import retention, uploads
from app.core.db.connection import database, read_clock
from app.core.settings import Cache, Tasks
from app.core.storage.storage import Storage, StorageUnavailableError
from workers.supervisor.clock_jumps import ClockWatch

log = logging.getLogger(__name__)

INCOMPLETE_SECONDS = 3600.0
BATCH = 500


def start_purge(storage: Storage, cache: Cache, tasks: Tasks) -> BackgroundScheduler:
    """Start a thread that purges every ``cache.frequency`` seconds.

    Shut the returned scheduler down to stop it.
    """
    scheduler = BackgroundScheduler(timezone="UTC")
    watch = ClockWatch((read_clock, time.time))
    # coalesce: after a long round or a suspend, run once instead of catching up
    arguments = [storage, cache, tasks, watch]
    scheduler.add_job(_run, "interval", arguments, seconds=cache.frequency, max_instances=1, coalesce=True)
    scheduler.start()
    return scheduler


def _run(storage: Storage, cache: Cache, tasks: Tasks, watch: ClockWatch) -> None:
    """Purge once, on a database connection of this thread.

    APScheduler logs exceptions and runs it again after the interval.
    """
    try:
        with database.connection_context():
            _purge(storage, cache, tasks, watch)
    except StorageUnavailableError as error:  # what is left is found by later rounds
        log.warning("purge interrupted: %s", error.reason)


def _purge(storage: Storage, cache: Cache, tasks: Tasks, watch: ClockWatch) -> None:
    if jump := watch.measure_jump():
        log.warning("a clock jumped ahead by %.0f s; purging waits until the ages are reliable again", jump)
    at, files_at = watch.readings
    finished = purge_finished(storage, cache, at) if watch.is_trusted(cache.ttl) else 0
    may_sweep = watch.is_trusted(max(cache.ttl, storage.abandoned_seconds)) and storage.is_sweep_due()
    abandoned = purge_abandoned(storage, cache, now=lambda: files_at) if may_sweep else 0
    if watch.is_trusted(max(cache.upload_ttl, storage.abandoned_seconds)):
        abandoned += purge_uploads(storage, cache, at, files_at)
    deleted = delete_expired(storage, tasks, at) if watch.is_trusted(tasks.ttl) else 0
    if finished or abandoned or deleted:
        say = "purged the files of %d finished tasks and %d abandoned uploads; deleted %d expired tasks"
        log.info(say, finished, abandoned, deleted)


def purge_finished(storage: Storage, cache: Cache, at: float | None = None) -> int:
    """Remove the files of tasks that ended ``cache.ttl`` seconds ago.

    Their rows and results stay. Returns the number of tasks. ``at`` is the time by the database's clock, read if None.
    The row is marked first, so that the API can explain a missing file; ``purge_abandoned`` removes folders that a crash
    in between leaves behind.
    """
    due = [
        identifier for identifier in retention.list_purgeable(cache.ttl, BATCH, at) if retention.mark_purged(identifier)
    ]
    _remove_each(storage, due, storage.remove)
    return len(due)


def delete_expired(storage: Storage, tasks: Tasks, at: float | None = None) -> int:
    """Delete tasks that ended ``tasks.ttl`` seconds ago.

    Rows, results and files are removed; with a ttl of 0 nothing is. Returns the number of tasks.
    """
    old = retention.list_expired(tasks.ttl, BATCH, at) if tasks.ttl else []
    due = [identifier for identifier in old if retention.delete_ended(identifier)]
    _remove_each(storage, due, storage.remove)
    return len(due)


def purge_abandoned(storage: Storage, cache: Cache, now: Callable[[], float] = time.time) -> int:
    """Remove abandoned uploads and folders without a task.

    What is incomplete is abandoned an hour after its last write, a complete file without a task when
    ``storage.abandoned_seconds`` have passed; both after ``cache.ttl`` if that is longer. Returns the number removed.
    """
    at = now()
    swept = storage.sweep(at - max(cache.ttl, INCOMPLETE_SECONDS))
    before = at - max(cache.ttl, storage.abandoned_seconds)
    # after the check of the age: it takes a query per task
    orphans = [identifier for identifier in storage.list_abandoned(before) if not retention.keeps_files(identifier)]
    _remove_each(storage, orphans, storage.remove)
    return swept + len(orphans)


def purge_uploads(storage: Storage, cache: Cache, at: float, files_at: float) -> int:
    """Remove uploads that were made ``cache.upload_ttl`` seconds ago, and files that a crash left without a row.

    ``at`` is the time by the database's clock, ``files_at`` that of the machine. Returns the number removed.
    """
    due = [token for token in uploads.list_expired(cache.upload_ttl, BATCH, at) if uploads.remove(token)]
    before = files_at - max(cache.upload_ttl, storage.abandoned_seconds)
    orphans = [token for token in storage.list_uploads(before) if uploads.get(token) is None]
    _remove_each(storage, {*due, *orphans}, storage.remove_upload)
    return len({*due, *orphans})


def _remove_each(storage: Storage, names: Iterable[str], remove: Callable[[str], object]) -> None:
    """Remove the files of tasks, or uploads. If those of one cannot be removed, the others are all the same."""
    for name in names:
        try:
            remove(name)
        except StorageUnavailableError as error:
            if storage.find_outage() is not None:
                raise
            log.warning("%.36s: files cannot be removed; a later purge will try again: %s", name, error.reason)
