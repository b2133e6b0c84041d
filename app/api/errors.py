"""Answer every error in flask-smorest's JSON format.

An unexpected exception is answered with a 500 that refers to the server log.
"""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, json, request
from flask_smorest import Api
from peewee import DatabaseError, InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from app.core.db import api_keys
from app.core.db.connection import database
from app.core.storage.storage import StorageUnavailableError
from app.current import get_settings
from app.facade import HttpError, find_facade
from app.http_errors import InsufficientStorage
from app.openapi import complete_document
from app.security_schemes import add_key_errors, add_security

log = logging.getLogger(__name__)
RETRY_SECONDS = 5
UNAVAILABLE = "The database is temporarily unavailable; try again."
INTERNAL = "Internal error; see the server log."


class SpeechApi(Api):
    """flask-smorest's Api, with complete error responses.

    They always have a message, and the headers that belong to them.
    """

    def handle_http_exception(self, error: HTTPException) -> Any:
        data: dict[str, Any] = getattr(error, "data", None) or {}
        code = error.code or 500
        facade = find_facade()
        # The text of an unexpected exception is for the log only: it may show internals.
        message = INTERNAL if code == HTTPStatus.INTERNAL_SERVER_ERROR else data.get("message") or error.description
        payload = {
            "code": code,
            "status": HTTPStatus(code).phrase,
            "message": message or HTTPStatus(code).description,
        }
        if data.get("errors"):
            payload["errors"] = data["errors"]
        # Keeps Retry-After and Content-Range; only the body has become JSON.
        headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        if facade is not None:
            failed = HttpError(code, str(payload["message"]), data.get("errors") or {}, headers)
            return facade.render_error(failed)
        return payload, code, headers

    def _openapi_json(self) -> Response:
        """Return the document, with this server's address and models.

        Without a prefix from a trusted proxy, the address is relative to the document's own: it also holds behind a proxy
        that removes a prefix.
        """
        here = "../" if request.path.endswith("/") else "./"
        document = self.spec.to_dict() | {"servers": [{"url": request.script_root or here}]}
        complete_document(document, get_settings())
        add_key_errors(document)
        document = add_security(document, api_keys.are_needed())
        return current_app.response_class(json.dumps(document, indent=2, sort_keys=False), mimetype="application/json")


def register_error_handlers(app: Flask, api: SpeechApi) -> None:
    """Answer 507 for a full disk, 503 without database or storage.

    Other errors are bugs, and answered with 500.
    """

    def handle_disk_error(error: OSError) -> Any:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return api.handle_http_exception(InsufficientStorage())
        raise error

    def handle_unavailable(error: Exception) -> Any:
        log.error("database unavailable: %s", error)
        database.close()  # the next request opens a new connection: this one may be broken
        return api.handle_http_exception(ServiceUnavailable(UNAVAILABLE, retry_after=RETRY_SECONDS))

    def handle_database_error(error: DatabaseError) -> Any:
        # SQLite raises the base class itself when the file is damaged or not a database. Derived classes are about the
        # statement: a retry would fail again.
        if type(error) is DatabaseError:
            return handle_unavailable(error)
        raise error

    def handle_storage_error(error: StorageUnavailableError) -> Any:
        log.error("storage unavailable: %s", error.reason)
        return api.handle_http_exception(ServiceUnavailable(error.message, retry_after=RETRY_SECONDS))

    app.register_error_handler(OSError, handle_disk_error)
    app.register_error_handler(StorageUnavailableError, handle_storage_error)
    app.register_error_handler(OperationalError, handle_unavailable)
    app.register_error_handler(InterfaceError, handle_unavailable)
    app.register_error_handler(DatabaseError, handle_database_error)
