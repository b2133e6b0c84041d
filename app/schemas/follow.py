"""The parameters of GET /task/<identifier>."""

from __future__ import annotations

from marshmallow import RAISE, Schema
from marshmallow.fields import Boolean

from app.schemas.options import make_wait_field


class FollowParameters(Schema):
    """How a client follows one task."""

    class Meta:
        unknown = RAISE

    wait = make_wait_field()
    partial = Boolean(  # type: ignore[assignment]  # fields are not attributes of the class
        load_default=False,
        metadata={
            "description": "true: while a transcription runs, `result` holds the segments that are known so far. Alignment and"
            " speakers may still change them."
        },
    )
