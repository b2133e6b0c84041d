"""Webhooks: who is informed of the end of a task, by which message, and signed with which secrets.

The messages follow the Standard Webhooks specification (https://www.standardwebhooks.com). Messages of another form are
for clients of another service.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from app.core.db.states import COMPLETED
from app.core.errors import SpeechError
from app.core.net.addresses import parse_url
from app.core.times import format_utc

STANDARD, ASSEMBLYAI = "standard", "assemblyai"  # forms of a message
PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64  # of a secret


@dataclass(frozen=True)
class Receiver:
    """Who is informed. The URL and the header may hold secrets.

    ``header_name`` and ``header_value`` are a further header of the request, for authentication.
    """

    url: str = field(repr=False)
    form: str = STANDARD
    header_name: str | None = None
    header_value: str | None = field(default=None, repr=False)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Receiver:
        return cls(**json.loads(text))


def check_receiver(url: str) -> None:
    """Raise ValueError unless messages can be sent to ``url``. Empty text stands for no receiver."""
    if url:
        try:
            parse_url(url)
        except SpeechError as error:  # its message does not quote the URL
            raise ValueError(error.message) from error


def read_secrets(text: str) -> tuple[str, ...]:
    """Split and check the secrets of WEBHOOK_SECRET. Raises ValueError, which does not quote them."""
    secrets = tuple(text.split())
    for number, secret in enumerate(secrets, 1):
        try:
            encoded = secret.removeprefix(PREFIX)
            length = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if not (secret.startswith(PREFIX) and LEAST_BYTES <= length <= MOST_BYTES):
            say = f"secret {number} is not {PREFIX} followed by the base64 of {LEAST_BYTES} to {MOST_BYTES} bytes"
            raise ValueError(f"{say}; make one with: echo {PREFIX}$(openssl rand -base64 32)")
    return secrets


def write_message(form: str, facts: Mapping[str, Any]) -> str:
    """Write the body of a message about an ended task.

    ``facts`` are columns of its row. The result is left out: it may be megabytes, and is for clients with a key only.
    """
    if form == ASSEMBLYAI:
        status = "completed" if facts["status"] == COMPLETED else "error"
        return json.dumps({"transcript_id": facts["uuid"], "status": status})
    told = ("status", "task_type", "error_code", "language", "audio_duration", "duration", "batch")
    data = {"identifier": facts["uuid"]} | {name: facts[name] for name in told}
    data |= {name: format_utc(facts[name]) for name in ("created_at", "finished_at")}
    return json.dumps(
        {"type": f"task.{facts['status'].lower()}", "timestamp": data["finished_at"], "data": data}, allow_nan=False
    )
