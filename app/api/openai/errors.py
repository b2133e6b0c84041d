"""Errors in OpenAI's shape: an object with message, type, param and code.

Its SDKs send the recording again for most of them, so ``x-should-retry`` says where that is useless.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flask import Response, current_app, request
from flask_smorest import abort

from app.core.db.states import CANCELLED
from app.core.db.tasks import Task
from app.facade import HttpError

MOST_RETRY_SECONDS = 120  # the SDKs ignore a longer Retry-After
INFERENCE = "/inference"  # of whisper.cpp, whose clients read ``error`` as text
CODES = {
    400: "invalid_value",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "unavailable",
    507: "insufficient_storage",
}
# Codes of failed tasks for which the recording or the request is the reason.
CLIENT_CODES = {
    "invalid_media": 400,
    "unsupported_media": 400,
    "no_audio": 400,
    "invalid_parameters": 400,
    "unsupported_language": 400,
    "too_long": 413,
}
PARAMS = {"unsupported_language": "language", "invalid_parameters": None}  # else: file
TOO_LARGE = "The request is too large. A part of the form that is a file needs a file name, or it counts as text."
AUDIO = ("/audio/transcriptions", "/audio/translations")


@dataclass(frozen=True)
class Failure:
    """What went wrong, and the status that says so."""

    status: int
    message: str
    code: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the object that clients find under ``error``."""
        kind = "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        elif self.status >= 500 or self.status == 408:
            kind = "server_error"
        return {"message": self.message, "type": kind, "param": self.param, "code": self.code}

    def respond(self) -> Response:
        error: Any = self.describe()
        if request.path.rstrip("/") == INFERENCE:
            error = self.message
        body = json.dumps({"error": error}, ensure_ascii=False) + "\n"
        response = current_app.response_class(body, self.status, mimetype="application/json")
        response.headers.update(self.headers)
        if self.status == 503:
            response.headers["x-should-retry"] = "true"
        elif self.status >= 500:
            response.headers["x-should-retry"] = "false"
        wait = response.headers.get("Retry-After", "")
        if wait.isdigit() and int(wait) > MOST_RETRY_SECONDS:
            response.headers["Retry-After"] = str(MOST_RETRY_SECONDS)
        return response


def refuse(param: str, message: str) -> NoReturn:
    """Answer 400 for a field of the request."""
    abort(400, message=message, errors={param: [message]})
    raise AssertionError("abort returned")


def render_error(error: HttpError) -> Response:
    """Make the response to a request that failed."""
    status = 400 if error.status == 422 else error.status
    param, messages = next(iter(error.errors.items()), (None, []))
    message = f"{param}: {' '.join(messages)}" if param else error.message
    code = CODES.get(status, "server_error" if status >= 500 else "invalid_request")
    if status == 413:
        message = TOO_LARGE
    if status == 404:
        code, message = _explain_missing(request.path, message)
    if status == 400 and param == "model":
        code = "model_not_found"
    return Failure(status, message, code, param, error.headers).respond()


def describe_end(row: Task) -> Failure:
    """Describe why a task ended without a result."""
    if row.status == CANCELLED:
        return Failure(500, "The transcription was cancelled.", "cancelled")
    code = row.error_code or "internal_error"
    status = CLIENT_CODES.get(code, 500)
    param = PARAMS.get(code, "file") if status < 500 else None
    return Failure(status, row.error or "The transcription failed.", code, param)


def _explain_missing(path: str, message: str) -> tuple[str, str]:
    if "/models/" in path:
        return "model_not_found", message
    for audio in AUDIO:
        base, found, rest = path.partition(audio)
        if found and rest.strip("/"):
            return "not_found", (
                f"The base URL already contains {audio}, and the client adds its own path. Set the base URL to "
                f"{request.url_root.rstrip('/')}{base or '/v1'}."
            )
    if path.startswith("/v1/v1"):
        return "not_found", f"The path contains /v1 twice. Set the base URL to {request.url_root.rstrip('/')}/v1."
    known = "POST /v1/audio/transcriptions, POST /v1/audio/translations, GET /v1/models"
    return "not_found", f"There is nothing at {path!r:.200}. Of OpenAI's API, this server has {known}."
