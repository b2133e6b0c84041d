"""Errors of whisper-asr-webservice's paths: one line of text.

Bazarr does not look at the status. What /asr answers becomes a subtitle, and at /detect-language, JSON without a language
would turn its provider off for minutes, unlike text.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Response

from app.api.asr.task_headers import name_task
from app.core.db.states import CANCELLED, FAILED
from app.core.db.tasks import Task
from app.facade import HttpError

TEXT = "text/plain; charset=utf-8"
RETRY_SECONDS = 10
BAD_REQUESTS = (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY)
OF_FAILURES = {
    **dict.fromkeys(("invalid_media", "unsupported_media", "no_audio"), HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(("unsupported_language", "invalid_parameters"), HTTPStatus.BAD_REQUEST),
    "too_long": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "insufficient_storage": HTTPStatus.INSUFFICIENT_STORAGE,
}


def render_error(error: HttpError) -> Response:
    """Answer a request that failed."""
    status = HTTPStatus.BAD_REQUEST if error.status in BAD_REQUESTS else HTTPStatus(error.status)
    details = " ".join(f"{name}: {' '.join(messages)}" for name, messages in error.errors.items())
    return _answer(status, status.phrase.lower().replace(" ", "_"), details or error.message, error.headers)


def describe_end(row: Task, waited: float) -> Response:
    """Answer a request whose task has failed, was cancelled, or has not ended after ``waited`` seconds."""
    if row.status == FAILED:
        code = row.error_code or "internal_error"
        response = _answer(OF_FAILURES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR), code, row.error or "")
    elif row.status == CANCELLED:
        response = _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "cancelled", "The task was cancelled.")
    else:
        say = f"The task has not ended after {waited:g} s. It goes on; see /task/{row.uuid}, or send the request again."
        response = _answer(HTTPStatus.SERVICE_UNAVAILABLE, "timeout", say, {"Retry-After": str(RETRY_SECONDS)})
    return name_task(response, row)


def _answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    line = " ".join(f"{code}: {message}".split())
    response = Response(f"{line}\n", status, headers, content_type=TEXT)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
