"""Schemas of GET /results."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate

from app.formats import MIMETYPES

IDENTIFIER = "^[0-9a-f-]{36}$"


class SelectionParameters(Schema):
    """Which results a client downloads."""

    class Meta:
        unknown = RAISE

    task = fields.List(
        fields.String(validate=validate.Regexp(IDENTIFIER, error="Must be the identifier of a task.")),
        required=True,
        validate=validate.Length(min=1, error="Name at least one task."),
        metadata={"description": "A task, at most `limits.max_batch` of them: `task=ID&task=ID`."},
    )
    format = fields.List(
        fields.String(validate=validate.OneOf(list(MIMETYPES))),
        load_default=lambda: ["json"],
        metadata={"description": "A format, or several: `format=srt&format=txt`. Default: json."},
    )
