"""Translate AssemblyAI's options into native parameters.

What has no effect becomes a warning. What protects people, or changes the meaning of times, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flask_smorest import abort
from marshmallow import ValidationError

from app.api.assemblyai.webhook import NAMES as WEBHOOK_NAMES
from app.api.assemblyai.webhook import read_receiver
from app.core.catalog.catalog import whisper_models
from app.core.params import TranscriptionParams
from app.core.settings import Settings
from app.core.webhooks import Receiver
from app.current import get_defaults, get_settings
from app.schemas.effects import describe_ignored
from app.schemas.languages import find_code, is_detection
from app.schemas.transcription import TranscriptionParameters

# Native parameter → theirs, for messages.
NAMES = {
    "file_url": "audio_url",
    "lang": "language_code",
    "model_size": "speech_model",
    "initial_prompt": "prompt",
    "hotwords": "keyterms_prompt",
    "is_diarize": "speaker_labels",
    "num_speakers": "speakers_expected",
    "min_speakers": "min_speakers_expected",
    "max_speakers": "max_speakers_expected",
}
REFUSED = ("filter_profanity", "audio_start_from", "audio_end_at", "multichannel", "dual_channel")
REDACTION = "redact_pii"
# These are the default, or without effect, unless they have the value given here.
TOLD_IF = {"punctuate": False, "format_text": False}
HONOURED = (
    *("audio_url", "language_code", "language_codes", "language_detection", "speech_model", "speech_models", "prompt"),
    *("temperature", "keyterms_prompt", "word_boost", "speaker_labels", "speakers_expected", "speaker_options"),
    *WEBHOOK_NAMES,
)
FLAGS = ("language_detection", "speaker_labels", "punctuate", "format_text")
SPEAKER_OPTIONS = {"min_speakers_expected": "min_speakers", "max_speakers_expected": "max_speakers"}
MOST_WARNINGS = 50


@dataclass(frozen=True)
class Wanted:
    """What a client asks for."""

    audio_url: str
    params: TranscriptionParams
    receiver: Receiver | None
    warnings: list[str] = field(default_factory=list)


def read_options(given: Mapping[str, Any]) -> Wanted:
    """Translate the members of a request. Answers 400 for a value that cannot be used."""
    url = given.get("audio_url")
    if not isinstance(url, str) or not url.strip():
        refuse("audio_url", "Must be the URL of a recording, or the upload_url of POST /v2/upload.")
    for name in FLAGS:
        if not isinstance(given.get(name, False), bool):
            refuse(name, "Must be true or false.")
    for name, value in given.items():
        if value and (name in REFUSED or name.startswith(REDACTION)):
            refuse(
                name, "Is not supported here. The request is refused, because its result would not be what you expect."
            )
    warnings = list(_find_ignored(given))
    native = {
        "model_size": _choose_model(given, get_settings(), warnings),
        "lang": _choose_language(given, warnings),
        "word_timestamps": True,
        "is_diarize": given.get("speaker_labels", False),
        "initial_prompt": None if given.get("prompt") == "" else given.get("prompt"),
        "hotwords": ", ".join(_read_terms(given)) or None,
        "num_speakers": given.get("speakers_expected"),
        **_read_speaker_options(given, warnings),
    }
    if given.get("temperature", "") != "":
        native["temperature"] = given["temperature"]
    params = _load({name: value for name, value in native.items() if value is not None})
    warnings += [_rename(warning) for warning in describe_ignored(params, get_defaults())]
    return Wanted(url.strip(), params, read_receiver(given, warnings, refuse), warnings[:MOST_WARNINGS])


def refuse(name: str, say: str) -> NoReturn:
    """Answer 400 for a member of the request."""
    abort(400, message=f"{name}: {say}")
    raise AssertionError("abort returned")


def _find_ignored(given: Mapping[str, Any]) -> list[str]:
    told = []
    for name, value in given.items():
        if name in TOLD_IF:
            if value is TOLD_IF[name]:
                told.append(f"{name} has no effect: the text is always punctuated and formatted.")
        elif name not in HONOURED and name not in REFUSED and not name.startswith(REDACTION) and value:
            told.append(f"{name:.60} has no effect: this server does not support it.")
    return told


def _choose_model(given: Mapping[str, Any], settings: Settings, warnings: list[str]) -> str | None:
    """Return the first wanted model that this server has; None for the default one."""
    wanted = given.get("speech_models", given.get("speech_model", []))
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        refuse("speech_model", "Must be the name of a model; speech_models, a list of names.")
    known = next((name for name in names if name in whisper_models(settings)), None)
    if names and known is None:
        named = ", ".join(f"{name:.60}" for name in names[:5])
        warnings.append(
            f"This server has no speech model {named}; its default model {get_defaults().model_size} was used."
        )
    return known


def _choose_language(given: Mapping[str, Any], warnings: list[str]) -> str | None:
    code, codes = given.get("language_code", ""), given.get("language_codes", [])
    if not isinstance(codes, list) or not all(isinstance(each, str) for each in [code, *codes]):
        refuse("language_code", "Must be a language code such as en or de; language_codes, a list of them.")
    if not code and len(codes) == 1:
        code = codes[0]
    elif len(codes) > 1:
        warnings.append("language_codes has no effect: with several languages, the language is detected.")
    if not code or not code.strip() or is_detection(code):
        return None
    if given.get("language_detection"):
        warnings.append("language_code has no effect: language_detection is on.")
        return None
    return find_code(code) or code  # an unknown one is refused by the schema


def _read_terms(given: Mapping[str, Any]) -> list[str]:
    terms: list[str] = []
    for name in ("keyterms_prompt", "word_boost"):
        values = given.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            refuse(name, "Must be a list of texts.")
        terms += [value.strip() for value in values if value.strip()]
    return list(dict.fromkeys(terms))


def _read_speaker_options(given: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    options = given.get("speaker_options", {})
    if not isinstance(options, dict):
        refuse("speaker_options", "Must be an object.")
    for name, value in options.items():
        if name not in SPEAKER_OPTIONS and value is not None:
            warnings.append(f"speaker_options.{name:.60} has no effect: this server does not support it.")
    return {native: options.get(name) for name, native in SPEAKER_OPTIONS.items()}


def _load(native: Mapping[str, Any]) -> TranscriptionParams:
    try:
        params: TranscriptionParams = TranscriptionParameters().load(native)
    except ValidationError as error:
        name, messages = next(iter(error.messages_dict.items()))
        refuse(NAMES.get(name, name), " ".join(str(message) for message in messages))
    return params


def _rename(warning: str) -> str:
    """Use their names in a warning about native ones."""
    name, _, rest = warning.partition(" ")
    return f"{NAMES.get(name, name)} {rest.replace('is_diarize', 'speaker_labels').replace('num_speakers', 'speakers_expected')}"
