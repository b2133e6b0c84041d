"""Limit submissions before their body is read."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, current_app, request
from werkzeug.exceptions import TooManyRequests

from app.budget import ThreadBudget
from app.core.db import tasks
from app.current import get_settings
from app.submission.key_limits import check_key_limits

UPLOAD_SHARE = 0.5  # of the threads; the others stay free for polls and downloads
QUEUE_RETRY_SECONDS = 30
UPLOAD_RETRY_SECONDS = 5
_HELD = "speech.upload_thread"
_BUDGET = "speech.uploads"


def limit_submissions(app: Flask, blueprints: Collection[str]) -> None:
    """Answer 429 while no more tasks can be accepted.

    That is while the queue is full, the API key has reached its limits, or too many threads are busy with POSTs to
    ``blueprints``.
    """
    budget = ThreadBudget(get_settings(app).server.threads, UPLOAD_SHARE)

    @app.before_request
    def admit_submission() -> None:
        if request.method != "POST" or request.blueprint not in blueprints:
            return
        if not budget.take():
            raise TooManyRequests(
                "Too many uploads are in progress; try again later.", retry_after=UPLOAD_RETRY_SECONDS
            )
        request.environ[_HELD] = True  # teardown also runs for requests that took no thread
        if tasks.count_queued() >= get_settings().limits.max_queued:
            raise TooManyRequests("The queue is full; try again later.", retry_after=QUEUE_RETRY_SECONDS)
        check_key_limits()

    app.extensions[_BUDGET] = budget

    @app.teardown_request
    def release_thread(error: BaseException | None) -> None:
        release_upload_thread()


def release_upload_thread() -> None:
    """Let another upload begin: this request has received its body, and now waits."""
    if request.environ.pop(_HELD, False):
        current_app.extensions[_BUDGET].give_back()
