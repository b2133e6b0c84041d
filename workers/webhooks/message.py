"""The headers of a message, with its signature (Standard Webhooks)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from standardwebhooks import Webhook

from app.core.db.deliveries import Delivery


def build_headers(held: Delivery, secrets: Sequence[str], seconds: float) -> dict[str, str]:
    """Sign a message that is sent at ``seconds`` since 1970.

    There is one signature for each secret, so that receivers can change to a new one. Without a secret, there is none.
    """
    # The same id in each attempt: receivers recognize a message that they already have.
    identifier = f"msg_{held.task}"
    # The library takes the date and time as they are: in another time zone, it would sign another moment.
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    headers = {
        "User-Agent": "speech-api",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "webhook-id": identifier,
        "webhook-timestamp": str(int(seconds)),
    }
    if secrets:
        signatures = (Webhook(secret).sign(identifier, moment, held.body) for secret in secrets)
        headers["webhook-signature"] = " ".join(signatures)
    if held.receiver.header_name:
        headers[held.receiver.header_name] = held.receiver.header_value or ""
    return headers
