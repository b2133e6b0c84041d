"""Parameters of every submission that are not the task's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, post_load, validate, validates
from marshmallow.fields import Boolean

from app.core.net.addresses import MOST_CHARACTERS
from app.core.webhooks import check_receiver
from app.current import get_settings
from app.schemas.fields import Text, WholeNumber
from app.schemas.link import LINK

LONGEST_WAIT = 60
LONGEST_NUMBER = 10**6


@dataclass(frozen=True)
class SubmissionOptions:
    """How a client wants to be answered.

    ``wait``: seconds to wait for the result, None not to wait. ``reuse``: share the task of an equal submission.
    ``webhook_url``: who is informed of the end of the task; empty for none. It may hold a secret.
    """

    wait: int | None = None
    reuse: bool = False
    webhook_url: str = field(default="", repr=False)


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

    webhook_url = Text(
        load_default="",
        most=MOST_CHARACTERS,
        keeps_space=False,
        metadata={
            "description": "http(s) URL that gets a signed POST when the task has ended. It is not shown again.",
            "pattern": LINK,
            "example": "",
        },
    )

    @validates("webhook_url")
    def check_webhook_url(self, url: str, **kwargs: Any) -> None:
        if url and not get_settings().webhooks.enabled:
            raise ValidationError("Webhooks are disabled on this server.")
        try:
            check_receiver(url)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    @post_load
    def make_options(self, data: dict[str, Any], **kwargs: Any) -> SubmissionOptions:
        return SubmissionOptions(**data)
