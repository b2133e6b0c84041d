"""Remove expired files, tasks and uploads, and abandoned ones."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler

from app.core.db import retention, uploads
from app.core.db.connection import database, read_clock
from app.core.settings import Cache, Tasks
from app.core.storage.paths import INCOMING, UPLOADS, upload_path
from app.core.storage.removal import TRASH, remove_folder
from workers.supervisor.clock_jumps import ClockWatch

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
BATCH = 500
PART = ".part"


def start_purge(cache: Cache, tasks: Tasks) -> BackgroundScheduler:
    """Start a thread that purges every ``cache.frequency`` seconds.

    Shut the returned scheduler down to stop it.
    """
    scheduler = BackgroundScheduler(timezone="UTC")
    watch = ClockWatch((read_clock, time.time))
    # coalesce: after a long round or a suspend, run once instead of catching up
    scheduler.add_job(_run, "interval", [cache, tasks, watch], seconds=cache.frequency, max_instances=1, coalesce=True)
    scheduler.start()
    return scheduler


def _run(cache: Cache, tasks: Tasks, watch: ClockWatch) -> None:
    """Purge once, on a database connection of this thread.

    APScheduler logs exceptions and runs it again after the interval.
    """
    with database.connection_context():
        if jump := watch.measure_jump():
            log.warning("a clock jumped ahead by %.0f s; purging waits until the ages are reliable again", jump)
        at, files_at = watch.readings
        finished = purge_finished(cache, at) if watch.is_trusted(cache.ttl) else 0
        old = watch.is_trusted(max(cache.ttl, ABANDONED_SECONDS))
        abandoned = purge_abandoned(cache, now=lambda: files_at) if old else 0
        if watch.is_trusted(max(cache.upload_ttl, ABANDONED_SECONDS)):
            abandoned += purge_uploads(cache, at, files_at)
        deleted = delete_expired(cache, tasks, at) if watch.is_trusted(tasks.ttl) else 0
    if finished or abandoned or deleted:
        say = "purged the files of %d finished tasks and %d abandoned uploads; deleted %d expired tasks"
        log.info(say, finished, abandoned, deleted)


def purge_finished(cache: Cache, at: float | None = None) -> int:
    """Remove the files of tasks that ended ``cache.ttl`` seconds ago.

    Their rows and results stay. Returns the number of tasks. ``at`` is the time by the database's clock, read if None.
    The row is marked first, so that the API can explain a missing file; ``purge_abandoned`` removes folders that a crash
    in between leaves behind.
    """
    due = [
        identifier for identifier in retention.list_purgeable(cache.ttl, BATCH, at) if retention.mark_purged(identifier)
    ]
    for identifier in due:
        remove_folder(cache.path, identifier)
    return len(due)


def delete_expired(cache: Cache, tasks: Tasks, at: float | None = None) -> int:
    """Delete tasks that ended ``tasks.ttl`` seconds ago.

    Rows, results and files are removed; with a ttl of 0 nothing is. Returns the number of tasks.
    """
    old = retention.list_expired(tasks.ttl, BATCH, at) if tasks.ttl else []
    due = [identifier for identifier in old if retention.delete_ended(identifier)]
    for identifier in due:
        remove_folder(cache.path, identifier)
    return len(due)


def purge_abandoned(cache: Cache, now: Callable[[], float] = time.time) -> int:
    """Remove abandoned uploads and folders without a task.

    An upload is abandoned an hour after its last write, or ``cache.ttl`` if that is longer. Returns the number removed.
    """
    before = now() - max(cache.ttl, ABANDONED_SECONDS)
    incoming = [path for path in (cache.path / INCOMING).glob("*") if path.suffix in (PART, TRASH)]
    old = [path for path in incoming if _is_older(path, before)]
    for path in old:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    orphans = [path for path in cache.path.iterdir() if _is_task_folder(path) and _is_older(path, before)]
    # after the check of the age: it takes a query per folder
    orphans = [folder for folder in orphans if not retention.keeps_files(folder.name)]
    for folder in orphans:
        remove_folder(cache.path, folder.name)
    return len(old) + len(orphans)


def purge_uploads(cache: Cache, at: float, files_at: float) -> int:
    """Remove uploads that were made ``cache.upload_ttl`` seconds ago, and files that a crash left without a row.

    ``at`` is the time by the database's clock, ``files_at`` that of the machine. Returns the number removed.
    """
    due = [token for token in uploads.list_expired(cache.upload_ttl, BATCH, at) if uploads.remove(token)]
    before = files_at - max(cache.upload_ttl, ABANDONED_SECONDS)
    files = [path for path in (cache.path / UPLOADS).glob("*") if _is_older(path, before)]
    orphans = [path.name for path in files if uploads.get(path.name) is None]
    for token in {*due, *orphans}:
        upload_path(cache.path, token).unlink(missing_ok=True)
    return len({*due, *orphans})


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:  # an upload that has just been completed
        return False


def _is_task_folder(path: Path) -> bool:
    try:
        return str(uuid.UUID(path.name)) == path.name and path.is_dir()
    except ValueError:
        return False
