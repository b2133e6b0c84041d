"""The list of models, as OpenAI's clients read it."""

from __future__ import annotations

from typing import Any

from app.api.openai.names import find_model, is_english_only, list_names
from app.core.params import TranscriptionParams
from app.core.settings import Settings
from app.schemas.languages import LANGUAGES

TASK = "automatic-speech-recognition"
CREATED = 1663718400  # 2022-09-21, when Whisper was published; clients want a number, and do not use it
OWNER = "openai"  # who trained Whisper


def list_entries(settings: Settings, defaults: TranscriptionParams, task: str = TASK) -> list[dict[str, Any]]:
    """List the names that a client may send as ``model``; none for a ``task`` other than speech recognition."""
    if task.strip() not in ("", TASK):
        return []
    entries = (describe_entry(name, settings, defaults) for name in list_names(settings))
    return [entry for entry in entries if entry is not None]


def describe_entry(name: str, settings: Settings, defaults: TranscriptionParams) -> dict[str, Any] | None:
    """Describe one model under the name that the client uses; None if there is no such model."""
    choice = find_model(name, settings, defaults.model_size)
    if choice is None:
        return None
    languages = ["en"] if is_english_only(choice.model, settings) else list(LANGUAGES)
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": OWNER,
        "task": TASK,
        "language": languages,
    }
