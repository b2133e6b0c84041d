"""Schemas of POST /task/<identifier>/again."""

from __future__ import annotations

from app.schemas.options import SubmissionOptionsSchema


class AgainOptionsSchema(SubmissionOptionsSchema):
    """The options of a submission, but ``reuse``: the earlier task is not wanted."""

    class Meta(SubmissionOptionsSchema.Meta):
        exclude = ("reuse",)
