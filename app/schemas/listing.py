"""Schemas of GET /task: pages of tasks, newest first."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.core.db.states import STATUSES, TASK_TYPES
from app.schemas.fields import Text, WholeNumber
from app.schemas.task import TASK_EXAMPLE, TaskAnswer

MOST, USUAL = 200, 50
MOST_SEARCHED = 200  # characters
LONG_FIELDS = ("task_params",)
CURSOR = re.compile("[0-9a-f]{1,15}", re.ASCII)  # 15 digits always fit into 64 bits


class Cursor(fields.Field[int]):
    """The last row of a page, as opaque text.

    The OpenAPI document describes it exactly, as clients that generate their requests need it.
    """

    default_error_messages = {"invalid": "Must be a cursor from `next` of a previous page."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        # int() alone would accept spaces, underscores and numbers too large for the database.
        if not CURSOR.fullmatch(value):
            raise self.make_error("invalid")
        return int(value, 16)


def encode_cursor(row_id: int) -> str:
    return f"{row_id:x}"


class ListParameters(Schema):
    class Meta:
        unknown = RAISE

    limit = WholeNumber(
        load_default=USUAL,
        validate=validate.Range(1, MOST),
        metadata={"description": "Most tasks in one answer."},
    )
    cursor = Cursor(
        metadata={
            "type": "string",
            "pattern": "^[0-9a-f]{0,15}$",
            "description": "Where the page begins; taken from `next` of the previous page.",
        },
    )
    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"description": "Only tasks in this state."})
    task_type = fields.String(validate=validate.OneOf(TASK_TYPES), metadata={"description": "Only this kind of task."})

    q = Text(
        load_default="",
        most=MOST_SEARCHED,
        keeps_space=False,
        metadata={"description": "Only tasks whose file name contains this text, in upper or lower case."},
    )
    brief = fields.Boolean(
        load_default=False, metadata={"description": "true: without `task_params`, for clients that poll a page."}
    )


class TaskSummary(TaskAnswer):
    """A task in a list, without result, embeddings and turns."""

    class Meta:
        exclude = ("result", "revision", "speaker_embeddings", "speaker_turns")


class TaskList(Schema):
    tasks = fields.List(fields.Nested(TaskSummary))
    next = fields.String(
        allow_none=True, metadata={"description": "Address of the next page, same filters; null on the last one."}
    )


LIST_EXAMPLE = {
    "tasks": [{name: value for name, value in TASK_EXAMPLE.items() if name in TaskSummary().fields}],
    "next": "/task?limit=1&status=COMPLETED&cursor=2a",
}
