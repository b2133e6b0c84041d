"""Submit a task by the native contract, and answer it."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app, request, url_for

from app.api.answers import write_body
from app.api.lookup import abort_not_found
from app.api.preferences import choose_wait
from app.auth import current_owner
from app.core.db import results
from app.core.db.results import Result
from app.core.db.reuse import KeyScope
from app.core.db.states import COMPLETED
from app.core.db.tasks import Task
from app.core.net.addresses import parse_url
from app.core.params import Params
from app.core.webhooks import Receiver
from app.http_errors import reject
from app.schemas.options import SubmissionOptions
from app.submission import uploads
from app.submission.accept import Order, create_task
from app.submission.admission import release_upload_thread
from app.submission.earlier import EarlierRecording
from app.submission.parser import Submission
from app.waiting import apply_preference, may_wait, wait_until_ended

LONGEST_KEY = 255


def submit(
    task_type: str,
    submission: Submission[Params],
    warnings: list[str],
    earlier: EarlierRecording | None = None,
    **order: Any,
) -> Response:
    """Queue a task and answer 201.

    The recording is the ``earlier`` one, the request's upload, or is downloaded from ``file_url`` later. On request, the
    answer waits for the result. Answers 422 without exactly one non-empty file or a usable URL, 507 when the disk is full.
    """
    options = submission.options
    placed = Order(
        task_type,
        submission.params,
        tuple(describe_unshared(options) + warnings),
        reuse=options.reuse,
        key=read_idempotency_key(),
        webhook=Receiver(options.webhook_url) if options.webhook_url else None,
        **order,
    )
    recording = earlier or (parse_url(submission.file_url) if submission.file_url else uploads.read_upload(request))
    identifier = create_task(placed, recording).identifier
    name = task_type.replace("-", " ").replace("_", " ").capitalize()
    say = f"{name} task has queued"
    asked = choose_wait(request, options.wait)
    wait = asked if asked is not None and may_wait() else None
    if wait is None:
        body = json.dumps({"identifier": identifier, "status": "QUEUED", "message": say}) + "\n"
    else:
        release_upload_thread()
        body = write_body(*wait_for_result(identifier, wait), message=say)
    response = current_app.response_class(body, 201, mimetype="application/json")
    response.headers["Location"] = url_for("Task.get_task", identifier=identifier)
    return apply_preference(response, wait)


def describe_unshared(options: SubmissionOptions) -> list[str]:
    """Warn if the client asks to share a task, and cannot."""
    if not (options.reuse and options.webhook_url):
        return []
    return ["reuse has no effect: with webhook_url, each submission makes a task of its own."]


def wait_for_result(identifier: str, seconds: float) -> tuple[Task, Result | None]:
    """Wait for the end of a task; return its row, and its result if it has one.

    Answers 404 when the task is deleted meanwhile.
    """
    row = wait_until_ended(identifier, seconds) or abort_not_found()
    return row, (results.get(identifier) or abort_not_found()) if row.status == COMPLETED else None


def read_idempotency_key() -> KeyScope | None:
    """Read the header Idempotency-Key, a string with or without quotes."""
    sent = request.headers.get("Idempotency-Key", "").strip()
    key = sent[1:-1] if len(sent) >= 2 and sent[0] == sent[-1] == '"' else sent
    if len(key) > LONGEST_KEY or "\0" in key:
        reject({"Idempotency-Key": [f"Must be at most {LONGEST_KEY} characters."]})
    return KeyScope(current_owner(), request.path.rstrip("/"), key) if key else None
