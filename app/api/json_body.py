"""Read JSON bodies strictly; errors name the members that are wrong."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from flask import Request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.http_errors import reject

MOST_BYTES = 1024 * 1024
BROKEN = re.compile("[\0\ud800-\udfff]")
MOST_DIGITS = 300


class BodyParser(FlaskParser):
    """Parse a JSON body by a schema; answers 422 for members that it does not allow."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}

    def load_json(self, req: Any, schema: Schema) -> Any:
        return read_object(req, '{"revision": 0}')

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages: Any = error.messages
        reject(dict(_flatten(messages.get("json", messages))))


class BodyBlueprint(Blueprint):
    """A blueprint that parses the JSON bodies of its requests with BodyParser."""

    ARGUMENTS_PARSER = BodyParser()


def _flatten(messages: Any, place: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the messages of each member; ``edits.0.text`` is a member of the first of a list."""
    if not isinstance(messages, dict):
        yield place, list(messages)
        return
    for name, inner in messages.items():
        yield from _flatten(inner, f"{place}.{name}" if place else str(name))


def read_object(request: Request, example: str) -> dict[str, Any]:
    """Return the JSON object in the body of a request; members that are null count as not given.

    Answers 400 if it is not one, and 413 if it is larger than MOST_BYTES.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(f"The body is compressed (Content-Encoding: {encoding:.40}).")
    request.max_content_length = MOST_BYTES
    try:
        # In UTF-8, as RFC 8259 wants it: json.loads would guess the encoding of bytes.
        text = request.get_data().decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=_make_object,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_int,
        )
    except RecursionError:
        _refuse("it is nested too deeply")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"{error.msg}, line {error.lineno}, column {error.colno}")
    if not isinstance(value, dict):
        _refuse(f"it must be an object, such as {example}")
    return {name: each for name, each in value.items() if each is not None}


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            _refuse(f"{name!r:.60} is given twice")
        _check_text(name, name)
        _check_text(name, value)
        made[name] = value
    return made


def _check_text(name: str, value: Any) -> None:
    """Refuse texts that cannot be stored: with NUL, or with half of a surrogate pair."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and BROKEN.search(text):
            _refuse(f"{name!r:.60} has NUL or broken characters")


def _refuse_constant(text: str) -> NoReturn:
    _refuse(f"{text} is not a number in JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse("a number is too large")
    return number


def _read_int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        _refuse("a number is too large")
    return int(text)


def _refuse(say: str) -> NoReturn:
    raise BadRequest(f"The body is not valid JSON: {say}.")
