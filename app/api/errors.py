"""Every failure in one shape, flask-smorest's; no request ends in a bare traceback or an unexplained 500."""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask
from flask_smorest import Api
from peewee import DatabaseError, InterfaceError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from app.core.db.connection import database
from app.submission.uploads import InsufficientStorage

log = logging.getLogger(__name__)
RETRY_SECONDS = 5


class SpeechApi(Api):
    """flask-smorest's Api whose errors always carry a message and the headers that belong to them."""

    def handle_http_exception(self, error: HTTPException) -> Any:
        data: dict[str, Any] = getattr(error, "data", None) or {}
        code = error.code or 500
        payload = {
            "code": code,
            "status": HTTPStatus(code).phrase,
            "message": data.get("message") or error.description or HTTPStatus(code).description,
        }
        if data.get("errors"):
            payload["errors"] = data["errors"]
        headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        return payload, code, headers


def register(app: Flask, api: SpeechApi) -> None:
    """Translate what the disk and the ledger say into 507 and 503."""

    def of_the_disk(error: OSError) -> Any:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return api.handle_http_exception(InsufficientStorage())
        raise error

    def of_the_ledger(error: Exception) -> Any:
        log.error("ledger unavailable: %s", error)
        database.close()  # the next request opens a fresh connection: this one may be gone for good
        say = "The ledger does not answer at the moment; try again."
        return api.handle_http_exception(ServiceUnavailable(say, retry_after=RETRY_SECONDS))

    app.register_error_handler(OSError, of_the_disk)
    app.register_error_handler(DatabaseError, of_the_ledger)
    app.register_error_handler(InterfaceError, of_the_ledger)
