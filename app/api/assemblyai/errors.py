"""Errors in AssemblyAI's shape: one sentence under ``error``."""

from __future__ import annotations

import json

from flask import Response, current_app

from app.api.assemblyai.parameters import NAMES
from app.facade import HttpError


def render_error(error: HttpError) -> Response:
    """Make the response to a request that failed."""
    said = [f"{NAMES.get(name, name)}: {' '.join(messages)}" for name, messages in error.errors.items()]
    body = json.dumps({"error": " ".join(said) or error.message}, ensure_ascii=False) + "\n"
    status = 400 if error.status == 422 else error.status
    response = current_app.response_class(body, status, mimetype="application/json")
    response.headers.update(error.headers)
    return response
