"""Read who is informed of the end of a task, for clients of other contracts."""

from __future__ import annotations

from marshmallow import ValidationError

from app.core.webhooks import Receiver
from app.http_errors import reject
from app.schemas.options import SubmissionOptionsSchema


def read_receiver(url: str | None) -> Receiver | None:
    """Return the receiver at ``url``, None without one.

    Answers 422 for a URL that cannot be used.
    """
    if not url:
        return None
    try:
        SubmissionOptionsSchema().load({"webhook_url": url})
    except ValidationError as error:
        reject(error.messages_dict)
    return Receiver(url)
