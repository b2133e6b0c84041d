"""Limit the tasks of one API key."""

from __future__ import annotations

import math

from werkzeug.exceptions import TooManyRequests

from app.auth import current_key
from app.core.db import audio_usage, reuse, tasks

RETRY_SECONDS = 30


def check_key_limits() -> None:
    """Answer 429 if the request's key may create no task now."""
    key = current_key()
    if key is None:
        return
    _check_queue()
    if key.max_audio_hours_per_day is not None:
        wait = audio_usage.find_wait(key.id, key.max_audio_hours_per_day)
        if wait:
            say = f"This API key has used its {key.max_audio_hours_per_day:g} hours of audio in 24 hours; try again later."
            raise TooManyRequests(say, retry_after=math.ceil(wait))


def check_key_queue() -> None:
    """Answer 429 if the request's key has too many waiting tasks.

    Call it in the transaction that adds a task: of several requests at once, only as many succeed as the limit allows.
    """
    key = current_key()
    if key is not None and key.max_queued is not None:
        reuse.lock(f"queue of key {key.id}")
        _check_queue()


def _check_queue() -> None:
    key = current_key()
    if key is None or key.max_queued is None:
        return
    if tasks.count_queued(key.id) >= key.max_queued:
        say = f"This API key already has {key.max_queued} waiting tasks; try again later."
        raise TooManyRequests(say, retry_after=RETRY_SECONDS)
