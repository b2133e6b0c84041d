"""Errors for every module that refuses requests."""

from __future__ import annotations

from typing import NoReturn

from flask_smorest import abort
from werkzeug.exceptions import HTTPException


class InsufficientStorage(HTTPException):
    """507, which Werkzeug does not have."""

    code = 507
    description = "Not enough disk space for this recording; try again later."


def reject(errors: dict[str, list[str]]) -> NoReturn:
    """Answer 422 with the errors of each field."""
    abort(422, message="The request cannot be accepted.", errors=errors)
    raise AssertionError("abort returned")
