"""Remove what is no longer needed from cache/: files of finished tasks after their time, uploads nobody finished."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler

from app.ledger import task
from app.ledger.db import database
from app.media.paths import INCOMING, folder_of
from app.settings import Cache

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
BATCH = 500


def start(cache: Cache) -> BackgroundScheduler:
    """Purge every ``cache.frequency`` seconds, in a thread, until the scheduler is shut down."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(_run, "interval", [cache], seconds=cache.frequency, max_instances=1, coalesce=True)
    scheduler.start()
    return scheduler


def _run(cache: Cache) -> None:
    """One round on a connection of this thread's own; what fails is logged by APScheduler and tried again next time."""
    with database.connection_context():
        finished = purge_finished(cache)
        abandoned = purge_abandoned(cache)
    if finished or abandoned:
        log.info("purged the files of %d finished tasks and %d abandoned uploads", finished, abandoned)


def purge_finished(cache: Cache) -> int:
    """Remove the folders of tasks that ended more than ``cache.ttl`` seconds ago; their rows and results stay."""
    due = task.purgeable(cache.ttl, BATCH)
    for identifier in due:
        folder = folder_of(cache.path, identifier)
        if folder.exists():
            shutil.rmtree(folder)
        task.purged(identifier)
    return len(due)


def purge_abandoned(cache: Cache, now: Callable[[], float] = time.time) -> int:
    """Remove uploads that stopped an hour (or ``cache.ttl``, if longer) ago, and folders of no task."""
    before = now() - max(cache.ttl, ABANDONED_SECONDS)
    parts = [path for path in (cache.path / INCOMING).glob("*.part") if path.stat().st_mtime < before]
    for part in parts:
        part.unlink(missing_ok=True)
    orphans = [path for path in cache.path.iterdir() if _is_task_folder(path) and path.stat().st_mtime < before]
    orphans = [folder for folder in orphans if task.get(folder.name) is None]
    for folder in orphans:
        shutil.rmtree(folder)
    return len(parts) + len(orphans)


def _is_task_folder(path: Path) -> bool:
    try:
        return str(uuid.UUID(path.name)) == path.name and path.is_dir()
    except ValueError:
        return False
