"""Accept a task: store its recording, commit its row."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from flask import request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from app.core.db import tasks
from app.core.net.addresses import parse_url
from app.core.params import FILE_URL, Params
from app.core.storage.paths import task_folder
from app.current import get_settings
from app.submission import uploads, urls


def submit(task_type: str, params: Params, file_url: str | None, warnings: Sequence[str] = ()) -> ResponseReturnValue:
    """Queue a task and answer 201.

    The recording is the request's upload, or is downloaded from ``file_url`` later. Answers 422 without exactly one
    non-empty file or a usable URL, 507 when the disk is full.
    """
    settings = get_settings()
    link = parse_url(file_url) if file_url else None
    upload = None if link else uploads.read_upload(request)
    stored = params.to_json()
    identifier = str(uuid.uuid4())
    if upload is not None:
        _store_upload(upload, task_folder(settings.cache.path, identifier))
        # Keep the folder if the commit fails: it may have succeeded all the same. The purge removes folders without a row.
        tasks.submit(identifier, task_type, stored, uploads.file_label(upload), list(warnings))
    elif link is not None:
        uploads.check_space(settings.cache.path, settings.limits.min_free_mb)
        urls.check_host(link, settings.fetch)
        stored[FILE_URL] = link.shown  # without the query string, which may hold a token
        tasks.submit(identifier, task_type, stored, link.label, list(warnings), source_url=link.url)
    name = task_type.replace("-", " ").capitalize()
    answer = {"identifier": identifier, "status": "QUEUED", "message": f"{name} task has queued"}
    return answer, 201, {"Location": url_for("Task.get_task", identifier=identifier)}


def _store_upload(upload: FileStorage, folder: Path) -> None:
    try:
        uploads.store_upload(upload, folder)
    except BaseException:  # also a shutdown: no folder with half a recording may stay
        shutil.rmtree(folder, ignore_errors=True)
        raise
