"""Make a task of the recording of an earlier task."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from werkzeug.exceptions import Gone, HTTPException

from app.auth import confirm_key, current_owner
from app.core.db.connection import begin_write
from app.core.db.tasks import Task
from app.core.storage.durable import sync_folder
from app.core.storage.paths import SOURCE, source_path, task_folder
from app.current import get_settings
from app.submission.accept import Order, insert_task
from app.submission.fingerprint import make_fingerprint

GONE = "The recording of this task has been removed; send it again."


def create_from_task(order: Order, earlier: Task) -> str:
    """Commit a QUEUED task for the recording of ``earlier``; return its identifier.

    Both tasks have the recording without a copy; it is removed when neither needs it. Answers 410 if it was removed already.
    """
    cache, identifier = get_settings().cache.path, str(uuid.uuid4())
    fingerprint = make_fingerprint(
        current_owner(), order.task_type, order.params, f"task:{earlier.uuid}", order.webhook
    )
    folder = task_folder(cache, identifier)
    link_recording(source_path(cache, earlier.uuid), folder)
    # Keep the folder if the commit fails: it may have succeeded all the same. The purge removes folders without a row.
    try:
        with begin_write():
            confirm_key()
            insert_task(order, identifier, fingerprint, earlier.file_name, order.params.to_json())
    except HTTPException:  # refused: nothing was committed
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return identifier


def link_recording(source: Path, folder: Path) -> None:
    """Give a recording to a task, as ``folder``/source; durable when this returns. Answers 410 if it is gone."""
    folder.mkdir()
    try:
        os.link(source, folder / SOURCE)
    except BaseException as error:  # also a shutdown: no folder without a recording may stay
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, FileNotFoundError):
            raise Gone(GONE) from error
        raise
    for directory in (folder, folder.parent):
        sync_folder(directory)
