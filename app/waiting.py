"""Wait for a task on behalf of a client.

A waiting client holds a thread, so only a share of them may wait at once.

The task of a client that waits for its answer is cancelled when the client has gone: the row then has ``waited_at``,
which the waiting thread renews. The supervisor cancels tasks that are no longer renewed (workers/supervisor/waiters.py),
unless a client has come back or follows the task in another way meanwhile.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import TooManyRequests

from app.auth import confirm_key, has_valid_key, make_unauthorized
from app.budget import ThreadBudget
from app.core.db import batches, tasks, waiters
from app.core.db.states import TERMINAL
from app.core.db.tasks import Task
from app.current import get_settings

SHARE = 0.25  # of the threads
RETRY_SECONDS = (5, 15)
LOOK_SECONDS = 0.1
CALM_LOOK_SECONDS = 0.3  # after CALM_SECONDS
CALM_SECONDS = 3.0
RENEW_SECONDS = 10.0
CONFIRM_SECONDS = 1.0  # between two looks at whether the API key is still valid
_BUDGET = "speech.waiters"
_HELD = "speech.waiter"


def configure_waiting(app: Flask) -> None:
    """Limit the threads of waiting clients."""
    app.extensions[_BUDGET] = ThreadBudget(get_settings(app).server.threads, SHARE)

    @app.teardown_request
    def give_back(error: BaseException | None) -> None:
        if request.environ.pop(_HELD, False):
            app.extensions[_BUDGET].give_back()


def may_wait() -> bool:
    """Take a thread for waiting until the request ends, if one is free."""
    if not request.environ.get(_HELD):
        request.environ[_HELD] = current_app.extensions[_BUDGET].take()
    return bool(request.environ[_HELD])


def require_waiter() -> None:
    """Answer 429 unless the client may wait.

    Call it before the body is read.
    """
    if not may_wait():
        raise TooManyRequests("Too many clients are waiting; try again later.", retry_after=choose_retry_seconds())


def choose_retry_seconds() -> int:
    """Choose the Retry-After of a client that may not wait: not the same for all, or they would come back together."""
    return random.randint(*RETRY_SECONDS)


def hold_until_closed(response: Response) -> Response:
    """Keep the thread of ``require_waiter`` until a streamed response has been sent, or its client has gone.

    Flask ends the request when the view returns, before the first byte of a stream is sent.
    """
    if request.environ.pop(_HELD, False):
        response.call_on_close(current_app.extensions[_BUDGET].give_back)
    return response


def wait_until(uuid: str, seconds: float, is_enough: Callable[[Task], bool]) -> Task | None:
    """Read the task's row until ``is_enough``, for at most ``seconds``.

    Returns the row as it was last; None when the task does not exist. Ends early when the client has gone. Answers 401 when
    the client's API key is revoked meanwhile.
    """
    begun = time.monotonic()
    renewed = confirmed = begun
    while (row := tasks.get(uuid)) is not None and not is_enough(row):
        if row.waited_at is not None and time.monotonic() - renewed >= RENEW_SECONDS:
            waiters.renew(uuid)
            renewed = time.monotonic()
        if time.monotonic() - confirmed >= CONFIRM_SECONDS:
            if not has_valid_key():
                waiters.keep_task(uuid)  # the task itself goes on
                raise make_unauthorized()
            confirmed = time.monotonic()
        if not _pause(begun, seconds):
            break
    return row


def wait_until_ended(uuid: str, seconds: float) -> Task | None:
    """Wait for a terminal status."""
    return wait_until(uuid, seconds, lambda row: row.status in TERMINAL)


def wait_until_batch_ended(batch: str, seconds: float) -> None:
    """Wait until all tasks of a batch have ended, for at most ``seconds``, or the client has gone.

    Answers 401 when the client's API key is revoked meanwhile.
    """
    begun = confirmed = time.monotonic()
    while batches.count_unfinished(batch) and _pause(begun, seconds):
        if time.monotonic() - confirmed >= CONFIRM_SECONDS:
            confirm_key()
            confirmed = time.monotonic()


def _pause(begun: float, seconds: float) -> bool:
    """Sleep until the next look; return False when ``seconds`` since ``begun`` are over or the client has gone."""
    waited = time.monotonic() - begun
    if waited >= seconds or is_client_gone(request.environ):
        return False
    pause = LOOK_SECONDS if waited < CALM_SECONDS else CALM_LOOK_SECONDS
    time.sleep(min(pause, seconds - waited))
    return True


def is_client_gone(environ: dict[str, Any]) -> bool:
    """Whether the client has closed its connection, by gunicorn's socket."""
    sock = environ.get("gunicorn.socket")
    if not isinstance(sock, socket.socket):
        return False
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except (BlockingIOError, ValueError):  # ValueError: a TLS socket takes no flags
        return False
    except OSError:
        return True


def apply_preference(response: Response, seconds: int | None) -> Response:
    """Say that ``Prefer: wait`` was honoured (RFC 7240, section 3)."""
    if request.method == "GET":
        response.vary.add("Prefer")
    if seconds is not None:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    return response
