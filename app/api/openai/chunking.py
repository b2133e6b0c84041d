"""The field ``chunking_strategy``: OpenAI's voice activity detection.

Clients send ``auto``, an object as JSON text, or the members of the object as fields of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.api.openai.errors import refuse
from app.api.openai.form import Fields

FIELD = "chunking_strategy"
MEMBERS = {
    "threshold": "threshold",
    "prefix_padding_ms": "speech_pad_ms",
    "silence_duration_ms": "min_silence_duration_ms",
}
KINDS = ("auto", "server_vad")
EXPECTED = 'Must be "auto", or an object with type "server_vad".'


def read_chunking(fields: Fields, put: Callable[[str, Any, str], None]) -> None:
    """Put the native parameters of voice activity detection; answers 400 for any other strategy."""
    text, sent = fields.take(FIELD), fields.take_members(FIELD)
    strategy: dict[str, Any] = dict(sent) or (_parse(text) if text else {})
    if not strategy:
        return
    kind = strategy.pop("type", "server_vad")
    if kind not in KINDS:
        refuse(FIELD, EXPECTED)
    put("vad_filter", True, FIELD)
    for member, value in strategy.items():
        if member in MEMBERS and value not in (None, ""):
            put(MEMBERS[member], value, FIELD)
        elif member not in MEMBERS:
            fields.warnings.append(f"{FIELD} has a member that has no effect: {member!a:.60}.")


def _parse(text: str) -> dict[str, Any]:
    text = text.strip().strip('"')
    if text == "auto":
        return {"type": "auto"}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        refuse(FIELD, EXPECTED)
    if not isinstance(value, dict):
        refuse(FIELD, EXPECTED)
    return value
