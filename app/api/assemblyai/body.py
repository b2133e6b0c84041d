"""Read a JSON body that anybody may have sent."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

MOST_BYTES = 1024 * 1024
BROKEN = re.compile("[\0\ud800-\udfff]")
MOST_DIGITS = 300


def read_object(request: Request) -> dict[str, Any]:
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
        _refuse('it must be an object, such as {"audio_url": "https://…"}')
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
