"""Schemas of GET /task/<identifier>/result."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from app.formats import BINARY, MIMETYPES, TRANSCRIPT
from app.formats.choices import BRACKETS, F4, SUITABLE, explain_unsuitable, read_choices
from app.formats.source import Source
from app.schemas.follow import make_revision_field
from app.schemas.task import IDENTIFIER, TASK_EXAMPLE

FORMAT = "The format of the file."
CHOICES = {
    "names": "false: the labels of speakers instead of their names.",
    "words": "Whether the file has the times of words.",
    "stamps": "How times are written: before each paragraph, or after it as f4transkript does.",
    "unsure": "true: highlight the words of which the model is least sure.",
}


def _describe(name: str) -> dict[str, str]:
    return {"description": f"{CHOICES[name]} Only for {', '.join(SUITABLE[name])}."}


class ResultParameters(Schema):
    class Meta:
        unknown = RAISE

    format = fields.String(
        load_default="json",
        validate=validate.OneOf(list(MIMETYPES)),
        metadata={"description": FORMAT},
    )
    revision = make_revision_field()
    names = fields.Boolean(metadata=_describe("names"))
    words = fields.Boolean(metadata=_describe("words"))
    stamps = fields.String(validate=validate.OneOf([BRACKETS, F4]), metadata=_describe("stamps"))
    unsure = fields.Boolean(metadata=_describe("unsure"))

    @validates_schema
    def check_choices(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse choices that have no effect on the format."""
        problems = explain_unsuitable(data.get("format", "json"), read_choices(data))
        if problems:
            raise ValidationError(problems)


def _describe_examples(shown: dict[str, Any]) -> dict[str, Any]:
    """Describe one example, or several by the names of their formats."""
    if len(shown) == 1:
        return {"example": next(iter(shown.values()))}
    return {"examples": {name: {"value": value} for name, value in shown.items()}}


def document_formats() -> dict[str, Any]:
    """Return the OpenAPI content of each format.

    All examples show the same transcript.
    """
    source = Source(
        json.dumps(TASK_EXAMPLE["result"]),
        label="interview.mp3",
        identifier=IDENTIFIER,
        length=TASK_EXAMPLE["audio_duration"],
        turns='[[0.31, 1.64, "SPEAKER_00"]]',
    )
    examples: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, write in TRANSCRIPT.items():
        if name not in BINARY:
            written = "".join(piece for piece in write(source) if isinstance(piece, str))
            examples[MIMETYPES[name]][name] = TASK_EXAMPLE["result"] if name == "json" else written
    content: dict[str, Any] = {
        mimetype: {
            "schema": {} if mimetype == MIMETYPES["json"] else {"type": "string"},
            **_describe_examples(shown),
        }
        for mimetype, shown in examples.items()
    }
    return content | {MIMETYPES[name]: {"schema": {"type": "string", "format": "binary"}} for name in BINARY}
