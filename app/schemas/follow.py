"""The parameters of GET /task/<identifier>."""

from __future__ import annotations

from marshmallow import RAISE, Schema, validate
from marshmallow.fields import Boolean

from app.schemas.fields import WholeNumber
from app.schemas.options import make_wait_field

LATEST = 2**31 - 1


def make_revision_field() -> WholeNumber:
    return WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, LATEST),
        metadata={"description": "Which text of an edited transcript; 0 is the machine's. Default: the latest."},
    )


class FollowParameters(Schema):
    """How a client follows one task."""

    class Meta:
        unknown = RAISE

    wait = make_wait_field()
    revision = make_revision_field()
    partial = Boolean(  # type: ignore[assignment]  # fields are not attributes of the class
        load_default=False,
        metadata={
            "description": "true: while a transcription runs, `result` holds the segments that are known so far. Alignment and"
            " speakers may still change them."
        },
    )
