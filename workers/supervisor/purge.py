"""Remove what is no longer needed from cache/: files of ended tasks after their time, uploads nobody finished."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler

from app.core.db import retention
from app.core.db.connection import database, read_clock
from app.core.settings import Cache, Tasks
from app.core.storage.paths import INCOMING
from app.core.storage.removal import TRASH, remove_folder
from workers.supervisor.clock_jumps import ClockWatch

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
BATCH = 500
PART = ".part"


def start_purge(cache: Cache, tasks: Tasks) -> BackgroundScheduler:
    """Purge every ``cache.frequency`` seconds, in a thread, until the scheduler is shut down."""
    scheduler = BackgroundScheduler(timezone="UTC")
    watch = ClockWatch((read_clock, time.time))
    scheduler.add_job(_run, "interval", [cache, tasks, watch], seconds=cache.frequency, max_instances=1, coalesce=True)
    scheduler.start()
    return scheduler


def _run(cache: Cache, tasks: Tasks, watch: ClockWatch) -> None:
    """One round on a connection of this thread's own; what fails is logged by APScheduler and tried again next time."""
    with database.connection_context():
        if jump := watch.measure_jump():
            log.warning("a clock jumped ahead by %.0f s: nothing is purged before its time has really passed", jump)
        at, files_at = watch.readings
        finished = purge_finished(cache, at) if watch.is_trusted(cache.ttl) else 0
        old = watch.is_trusted(max(cache.ttl, ABANDONED_SECONDS))
        abandoned = purge_abandoned(cache, now=lambda: files_at) if old else 0
        forgotten = delete_expired(cache, tasks, at) if watch.is_trusted(tasks.ttl) else 0
    if finished or abandoned or forgotten:
        say = "purged the files of %d finished tasks and %d abandoned uploads; forgot %d tasks"
        log.info(say, finished, abandoned, forgotten)


def purge_finished(cache: Cache, at: float | None = None) -> int:
    """Remove the folders of tasks that ended more than ``cache.ttl`` seconds ago; their rows and results stay.

    ``at``: the time by the database's clock; without it, the clock is read.
    The row is marked first, so that whoever then misses a file learns why; a folder left by a crash is swept later.
    """
    due = [
        identifier for identifier in retention.list_purgeable(cache.ttl, BATCH, at) if retention.mark_purged(identifier)
    ]
    for identifier in due:
        remove_folder(cache.path, identifier)
    return len(due)


def delete_expired(cache: Cache, tasks: Tasks, at: float | None = None) -> int:
    """Remove rows, results and files of tasks that ended more than ``tasks.ttl`` seconds ago; 0 keeps them for ever."""
    old = retention.list_expired(tasks.ttl, BATCH, at) if tasks.ttl else []
    due = [identifier for identifier in old if retention.delete_ended(identifier)]
    for identifier in due:
        remove_folder(cache.path, identifier)
    return len(due)


def purge_abandoned(cache: Cache, now: Callable[[], float] = time.time) -> int:
    """Remove uploads that stopped an hour (or ``cache.ttl``, if longer) ago, folders of no task, remains of folders."""
    before = now() - max(cache.ttl, ABANDONED_SECONDS)
    incoming = [path for path in (cache.path / INCOMING).glob("*") if path.suffix in (PART, TRASH)]
    old = [path for path in incoming if _is_older(path, before)]
    for path in old:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    orphans = [path for path in cache.path.iterdir() if _is_task_folder(path) and _is_older(path, before)]
    orphans = [folder for folder in orphans if not retention.keeps_files(folder.name)]
    for folder in orphans:
        remove_folder(cache.path, folder.name)
    return len(old) + len(orphans)


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
