"""Turn OpenAI's fields into native parameters."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from marshmallow.fields import Boolean

from app.api.openai.chunking import read_chunking
from app.api.openai.errors import refuse
from app.api.openai.form import Fields
from app.api.openai.names import find_model, find_translator, list_names
from app.core.params import TranscriptionParams
from app.current import get_defaults, get_settings
from app.schemas.bgm_separation import replace_uvr_model
from app.schemas.effects import describe_ignored
from app.schemas.fields import drop_empty
from app.schemas.languages import is_detection
from app.schemas.transcription import TranscriptionParameters

DIARIZED = "diarized_json"
SHOWS_SPEAKERS = ("verbose_json", "srt", "vtt", DIARIZED)
UNSPOKEN = (
    "auto",
    "und",
)  # no prompt and no temperature, from clients that fill in each field with a language's default
# Fields of other servers with the same interface: speaches, LocalAI, whisper.cpp.
OTHERS = {
    "diarize": "is_diarize",
    "translate": "is_translate",
    "vad": "vad_filter",
    "vad_threshold": "threshold",
    "vad_min_speech_duration_ms": "min_speech_duration_ms",
    "vad_min_silence_duration_ms": "min_silence_duration_ms",
    "vad_max_speech_duration_s": "max_speech_duration_s",
    "vad_speech_pad_ms": "speech_pad_ms",
}
UNUSED_SPEAKERS = "has no effect: voices are not compared with known ones. Speakers are named A, B, … instead."


class Native:
    """Native parameters, and the client's field that each one is from."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._fields: dict[str, str] = {}

    def put(self, name: str, value: Any, field: str) -> None:
        """Set a parameter; None leaves it as it is."""
        if value is not None:
            self.values[name] = value
            self._fields[name] = field

    def load(self) -> TranscriptionParams:
        """Validate; answers 400 with the client's field."""
        try:
            params: TranscriptionParams = TranscriptionParameters().load(self.values)
        except ValidationError as error:
            name, messages = next(iter(error.messages_dict.items()))
            refuse(self._fields.get(name, name), " ".join(messages))
        return params


def build_params(
    fields: Fields, response_format: str, translates: bool, deployment: str | None, raw_pcm: bool
) -> tuple[TranscriptionParams, list[str]]:
    """Build the native parameters from all fields that have an effect on them.

    Returns them, and warnings about values without effect. ``deployment``: the name in an address of Azure's form.
    ``raw_pcm``: the recording is announced as samples without a header.
    """
    native, warnings = Native(), fields.warnings
    _put_text(fields, native)
    _put_language(fields, native)
    read_chunking(fields, native.put)
    if translates:
        native.put("is_translate", True, "translate")
    for theirs, name in OTHERS.items():
        native.put(name, fields.take(theirs), theirs)
    names_speakers = _put_model(fields, native, deployment)
    if response_format == DIARIZED or (names_speakers and response_format in SHOWS_SPEAKERS):
        native.put("is_diarize", True, "response_format")
    # Always on, so that requests in different formats can share a task.
    native.put("word_timestamps", not read_flag(fields, "without_timestamps"), "without_timestamps")
    native.put("raw_pcm", raw_pcm or None, "file")
    _put_native(fields, native)
    for name in ("known_speaker_names", "known_speaker_references"):
        if fields.take_list(name):
            warnings.append(f"{name} {UNUSED_SPEAKERS}")
    params = native.load()
    if params.is_translate:
        native.put("model_size", _choose_translator(params.model_size, warnings), "model")
        params = native.load()
    warnings += describe_ignored(params, get_defaults())
    params, replaced = replace_uvr_model(params, get_settings())
    return params, warnings + (replaced if params.is_separate_bgm else [])


def read_flag(fields: Fields, name: str) -> bool:
    """Read a boolean of the client; false if it was not sent."""
    value = fields.take(name)
    try:
        return value is not None and bool(Boolean().deserialize(value.strip()))
    except ValidationError as error:
        refuse(name, " ".join(error.messages))


def _put_text(fields: Fields, native: Native) -> None:
    native.put("initial_prompt", fields.take("prompt", *UNSPOKEN), "prompt")
    native.put("temperature", fields.take("temperature", *UNSPOKEN), "temperature")
    phrases = fields.take_list("keywords")
    field = "keywords" if phrases else "hotwords"
    native.put("hotwords", ", ".join([*phrases, *fields.take_list("hotwords")]) or None, field)


def _put_language(fields: Fields, native: Native) -> None:
    language, several = fields.take("language"), fields.take_list("languages", divided=True)
    if language is not None and not is_detection(language):
        native.put("lang", language, "language")
        if set(several) - {language}:
            fields.warnings.append("languages has no effect: language names the language of the recording.")
    elif len(set(several)) == 1:
        native.put("lang", several[0], "languages")
    elif several:
        fields.warnings.append("languages has no effect: a recording has one language here, which is detected.")


def _put_model(fields: Fields, native: Native, deployment: str | None) -> bool:
    """Choose the model; return whether its name promises the names of speakers."""
    settings, default = get_settings(), get_defaults().model_size
    name = fields.take("model")
    choice = find_model(name, settings, default) if name else None
    if choice is None and deployment:
        choice = find_model(deployment, settings, default)
        if choice is None:
            fields.warnings.append(f"There is no model for this deployment: {default} was used.")
    elif choice is None and name:
        refuse("model", f"Unknown model. Available: {', '.join(list_names(settings))}.")
    native.put("model_size", choice.model if choice else None, "model")
    return choice is not None and choice.names_speakers


def _put_native(fields: Fields, native: Native) -> None:
    """Take native parameters under their own names; they go before the client's own fields."""
    for name, field in TranscriptionParameters().fields.items():
        if name == "temperature" or name == "hotwords":  # taken above, with the same meaning
            continue
        given = drop_empty(fields.take_list(name), field)
        if given:
            native.put(name, given if len(given) > 1 else given[0], name)


def _choose_translator(chosen: str, warnings: list[str]) -> str:
    model = find_translator(chosen, get_settings(), get_defaults().model_size)
    if model is None:
        refuse("model", "No model of this server can translate.")
    if model != chosen:
        warnings.append(f"Model {chosen} cannot translate: {model} was used instead.")
    return model
