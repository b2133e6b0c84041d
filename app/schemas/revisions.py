"""Schemas of edits and revisions, with examples."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.editing.history import MOST_REVISIONS
from app.schemas.fields import Number, Text, WholeNumber
from app.schemas.task import TASK_EXAMPLE

MOST_EDITS = 2000  # in one request
LONGEST_TEXT = 2000  # characters of a segment
MOST_WORDS = 2000  # of a segment
MOST_SECONDS = 1e6
MOST_NUMBER = 2**31 - 1

SEGMENT: dict[str, Any] = {**TASK_EXAMPLE["result"][0], "text": "hello tuesday", "tokens": []}
REVISED_EXAMPLE: dict[str, Any] = {"revision": 1, "segments": [[0, SEGMENT]]}
REVISIONS_EXAMPLE: dict[str, Any] = {
    "revision": 1,
    "revisions": [
        {"revision": 0, "content": 0, "changed": 0, "created_at": "2026-11-22T13:00:00.893Z"},
        {"revision": 1, "content": 1, "changed": 1, "created_at": "2026-11-22T13:04:10.120Z"},
    ],
}


class Strict(Schema):
    class Meta:
        unknown = RAISE


class EditedWord(Strict):
    word = Text(most=200, required=True)
    start = Number(required=True, validate=validate.Range(0, MOST_SECONDS), metadata={"description": "Seconds."})
    end = Number(required=True, validate=validate.Range(0, MOST_SECONDS), metadata={"description": "Seconds."})
    probability = Number(load_default=1.0, validate=validate.Range(0, 1))


class SegmentEdit(Strict):
    """A new text of one segment."""

    segment = WholeNumber(
        required=True,
        validate=validate.Range(0, MOST_NUMBER),
        metadata={"description": "The `id` of the segment, which never changes."},
    )
    text = Text(
        most=LONGEST_TEXT,
        required=True,
        metadata={"description": "The new text in one line; an empty one removes the segment."},
    )
    words = fields.List(
        fields.Nested(EditedWord),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MOST_WORDS),
        metadata={
            "description": "The words with their times, such as those of a task of POST /task/<identifier>/align. Without them,"
            " words that did not change keep their times, and new ones share the time between their neighbours."
        },
    )


class RevisionNumber(Strict):
    revision = WholeNumber(
        required=True,
        validate=validate.Range(0, MOST_REVISIONS),
        metadata={"description": "The latest revision that the client knows."},
    )


class Edits(RevisionNumber):
    """The body of PATCH /task/<identifier>/result."""

    edits = fields.List(fields.Nested(SegmentEdit), required=True, validate=validate.Length(min=1, max=MOST_EDITS))


class Revised(Schema):
    """A new revision, and [id, segment] of each segment that differs; null for a removed one."""

    revision = fields.Integer()
    segments = fields.List(fields.List(fields.Raw(allow_none=True)))


class EditedMeanwhile(Schema):
    """The answer to an edit of a revision that is not the latest."""

    code = fields.Integer()
    status = fields.String()
    message = fields.String()
    error_code = fields.String(metadata={"description": "`edited_meanwhile`; missing if the task has no result yet."})
    revision = fields.Integer(metadata={"description": "The latest revision."})
    changed = fields.List(
        fields.List(fields.Raw(allow_none=True)),
        metadata={"description": "[id, segment] of each segment that differs, as it is now; null for a removed one."},
    )


class RevisionEntry(Schema):
    revision = fields.Integer()
    content = fields.Integer(
        metadata={"description": "The revision that first had this text: an earlier one after an undo."}
    )
    changed = fields.Integer(metadata={"description": "How many segments it changed."})
    created_at = fields.DateTime()


class Revisions(Schema):
    """The revisions of a transcript, the oldest first; 0 is the machine's result."""

    revision = fields.Integer(metadata={"description": "The latest revision."})
    revisions = fields.List(fields.Nested(RevisionEntry))
