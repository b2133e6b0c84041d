"""Fields for parameters that arrive as text.

They accept ASCII digits, finite numbers and valid Unicode.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from marshmallow import fields, validate

WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)  # 18 digits always fit into 64 bits
ZEROS = re.compile(r"\.0*$", re.ASCII)
BRACKETED = re.compile(r"^\[(.*)\]$", re.DOTALL)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
LIST = re.compile(r"\s*[\[({]|\s*[0-9.eE+-]+\s*[,;\s]", re.ASCII)
UNBROKEN = r"^[^\u0000\uFFFD]*$"  # the same in the OpenAPI document
BROKEN = re.compile("[\0\ud800-\udfff\ufffd]")  # form parsing replaces invalid UTF-8 by U+FFFD
MOST_TOKENS = 1000


class WholeNumber(fields.Integer):
    """A whole number in digits.

    ``5.0`` is one, too: JavaScript and pandas write it.
    """

    default_error_messages = {"invalid": "Must be a whole number."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        # isinstance() would accept True.
        if type(value) is float and value.is_integer():
            value = int(value)
        text = ZEROS.sub("", value) if isinstance(value, str) else value
        if type(text) is not int and not (isinstance(text, str) and WHOLE.fullmatch(text)):
            raise self.make_error("invalid")
        return super()._deserialize(text, attr, data, **kwargs)


class Number(fields.Float):
    """A finite number; ``endless=True`` also takes ``inf``."""

    default_error_messages = {
        "invalid": "Must be a number.",
        "special": "Must be a finite number.",
        "comma": "Must be one number; write decimals with a point, such as {point}.",
        "list": "Must be one number, not a list.",
    }

    def __init__(self, *, endless: bool = False, **kwargs: Any) -> None:
        bounds = kwargs.get("validate")
        if isinstance(bounds, validate.Range) and not bounds.min_inclusive:
            kwargs["metadata"] = {"exclusiveMinimum": True} | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.endless = endless

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if self.endless and value in ("inf", "Infinity", math.inf):
            return math.inf
        if type(value) in (int, float) or (isinstance(value, str) and len(value) <= 40 and NUMBER.fullmatch(value)):
            # float() raises OverflowError for a huge int.
            number = float(value) if type(value) is not int or abs(value) < 2**1000 else math.inf
        elif isinstance(value, str) and value.strip("+-").lower() in ("nan", "inf", "infinity"):
            raise self.make_error("special")
        elif isinstance(value, str) and len(value) <= 40 and NUMBER.fullmatch(value.replace(",", ".", 1)):
            raise self.make_error("comma", point=value.replace(",", ".", 1))
        elif isinstance(value, str) and LIST.match(value):
            raise self.make_error("list")
        else:
            raise self.make_error("invalid")
        if not math.isfinite(number):
            raise self.make_error("special")
        return number


class Text(fields.String):
    """Valid Unicode without NUL, of bounded length.

    White space around it belongs to it, unless ``keeps_space`` is false.
    """

    default_error_messages = {"control": "Must not contain NUL or broken characters."}

    def __init__(self, *, most: int = 10_000, keeps_space: bool = True, **kwargs: Any) -> None:
        metadata = {"pattern": UNBROKEN} | kwargs.pop("metadata", {})
        super().__init__(validate=validate.Length(max=most), metadata=metadata, **kwargs)
        self.keeps_space = keeps_space

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if BROKEN.search(text):
            raise self.make_error("control")
        return text


class TokenList(fields.Field[tuple[int, ...]]):
    """Token ids: the parameter repeated, ``-1,50257`` or ``[-1, 50257]``."""

    default_error_messages = {"invalid": "Must be token ids such as [-1] or 1,2,3, each at least -1."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[int, ...]:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in parts):
            raise self.make_error("invalid")
        texts = [text.strip() for part in parts for text in BRACKETED.sub(r"\1", str(part).strip()).split(",")]
        texts = [] if texts == [""] else texts
        if len(texts) > MOST_TOKENS or not all(WHOLE.fullmatch(text) for text in texts):
            raise self.make_error("invalid")
        ids = tuple(int(text) for text in texts)
        if any(not -1 <= token < 2**31 for token in ids):
            raise self.make_error("invalid")
        return ids

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return value


def drop_empty(values: Iterable[str], field: fields.Field[Any] | None) -> list[str]:
    """Return the values that say something, without white space around them.

    An empty value means that the client did not fill in the field. Free text keeps its white space. Without ``field``,
    the parameter is unknown, and even an empty value is an error.
    """
    if field is None:
        return list(values)
    keeps_space = isinstance(field, Text) and field.keeps_space
    return [text for value in values if (text := value if keeps_space else value.strip())]
