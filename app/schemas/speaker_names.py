"""The names that clients give to speakers.

The rules are such that no result format needs a rule of its own: a name is never a formula, markup or a separator.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

MOST_CHARACTERS = 80
# Control characters, marks of direction, line separators, halves of surrogate pairs and what Unicode calls noncharacters.
UNFIT = (
    r'<>"{}:\\\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd-\uffff\ud800-\udfff'
)
PATTERN = rf"[^\W_][^{UNFIT}]{{0,{MOST_CHARACTERS - 1}}}(?<!\s)"
NAME = re.compile(PATTERN)
WHOLE = rf"^{PATTERN}$(?!\n)"  # in Python, $ alone would allow a line break at the end
SAY = (
    "A name has 1 to 80 characters, begins with a letter or a digit, does not end with a space, and has none of "
    '< > " { } : \\ and no tab or line break.'
)
EXAMPLE = {"speaker_names": {"SPEAKER_00": "Maria", "SPEAKER_01": None}}


class NamesByLabel(fields.Field[dict[str, str | None]]):
    """A name for each label; null takes the name back."""

    default_error_messages = {"invalid": "Must be an object: labels, each with a name."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, str | None]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        wrong = [label for label, name in value.items() if name is not None and not is_name(name)]
        if wrong:
            raise ValidationError([f"{label}: {SAY}" for label in wrong])
        return {label: name and unicodedata.normalize("NFC", name) for label, name in value.items()}


def is_name(value: Any) -> bool:
    """Whether a value can be the name of a speaker."""
    return isinstance(value, str) and len(value) <= MOST_CHARACTERS and NAME.fullmatch(value) is not None


class SpeakerNames(Schema):
    class Meta:
        unknown = RAISE

    speaker_names = NamesByLabel(
        required=True,
        metadata={
            "type": "object",
            "additionalProperties": {
                "type": "string",
                "nullable": True,
                "minLength": 1,
                "maxLength": MOST_CHARACTERS,
                "pattern": WHOLE,
            },
            "description": "New names by label. null takes a name back; speakers that are not mentioned keep theirs.",
        },
    )


class NamedSpeakers(Schema):
    identifier = fields.UUID()
    speaker_names = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "All names that the speakers have now."}
    )
