"""Run a task for a client that waits for its result in one request."""

from __future__ import annotations

from dataclasses import replace

from flask import request
from werkzeug.datastructures import FileStorage

from app.api.lookup import abort_not_found
from app.core.db import waiters
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task
from app.core.net.addresses import Target
from app.submission.accept import Order, create_task
from app.submission.admission import release_upload_thread
from app.waiting import is_client_gone, wait_until_ended


def start_task(order: Order, recording: FileStorage | Target) -> str:
    """Create the task of a client that waits, or join the one of an equal order; return its identifier.

    A client that lost its connection sends the recording again: it then gets the task that already runs. Call
    ``require_waiter`` before the body is read.
    """
    identifier = create_task(replace(order, reuse=True, waited=True), recording).identifier
    release_upload_thread()
    return identifier


def wait_for_task(identifier: str, seconds: float) -> Task:
    """Wait for the end of a task; return its row, which has not ended if ``seconds`` are over.

    It is then kept, since the client learns where to find it. If the client has gone instead, and does not come back, the
    supervisor cancels the task.
    """
    row = wait_until_ended(identifier, seconds) or abort_not_found()
    if row.status not in TERMINAL and not is_client_gone(request.environ):
        waiters.keep_task(identifier)
    return row
