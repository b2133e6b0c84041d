"""Parameters of every submission that are not the task's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import RAISE, Schema, post_load, validate
from marshmallow.fields import Boolean

from app.schemas.fields import WholeNumber

LONGEST_WAIT = 60
LONGEST_NUMBER = 10**6


@dataclass(frozen=True)
class SubmissionOptions:
    """How a client wants to be answered.

    ``wait``: seconds to wait for the result, None not to wait. ``reuse``: share the task of an equal submission.
    """

    wait: int | None = None
    reuse: bool = False


def make_wait_field() -> WholeNumber:
    return WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, LONGEST_NUMBER),
        metadata={
            "description": f"Seconds to wait for the end of the task, at most {LONGEST_WAIT}. The answer is the state reached"
            " by then. The header `Prefer: wait=N` asks for the same."
        },
    )


class SubmissionOptionsSchema(Schema):
    """The query or form fields that a client may add to each submission."""

    class Meta:
        unknown = RAISE

    wait = make_wait_field()
    reuse = Boolean(
        load_default=False,
        metadata={
            "description": "true: if a task with the same recording and parameters waits, runs or has just been completed, it is"
            " returned instead of a new one."
        },
    )

    @post_load
    def make_options(self, data: dict[str, Any], **kwargs: Any) -> SubmissionOptions:
        return SubmissionOptions(**data)
