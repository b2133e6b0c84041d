"""Schemas of GET /task/<identifier>/result."""

from __future__ import annotations

import json
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.formats import MIMETYPES, TRANSCRIPT
from app.schemas.follow import make_revision_field
from app.schemas.task import TASK_EXAMPLE


class ResultParameters(Schema):
    class Meta:
        unknown = RAISE

    format = fields.String(
        load_default="json",
        validate=validate.OneOf(list(MIMETYPES)),
        metadata={"description": "The format of the file."},
    )
    revision = make_revision_field()


def document_formats() -> dict[str, Any]:
    """Return the OpenAPI content of each format.

    All examples show the same transcript.
    """
    result = json.dumps(TASK_EXAMPLE["result"])
    written = {name: "".join(write(result)) for name, write in TRANSCRIPT.items()}
    examples = written | {"json": TASK_EXAMPLE["result"]}
    return {
        MIMETYPES[name]: {"schema": {} if name == "json" else {"type": "string"}, "example": example}
        for name, example in examples.items()
    }
