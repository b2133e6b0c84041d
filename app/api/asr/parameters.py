"""Translate the parameters of whisper-asr-webservice, and of its clients, to those of a task.

They come in the query; forms are read, too. Unknown ones are ignored with a warning, as clients send the names of several
servers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from flask import Request
from marshmallow import ValidationError, validate
from marshmallow.fields import Boolean

from app.api.asr.recording import FIELDS, list_other_files
from app.api.query import parse_query
from app.core.catalog.catalog import whisper_models
from app.core.params import DetectLanguageParams, P_co, TranscriptionParams
from app.core.webhooks import Receiver
from app.current import get_defaults, get_settings
from app.http_errors import reject
from app.schemas import detect_language, effects
from app.schemas.detect_language import MOST_WINDOWS, DetectLanguageParameters
from app.schemas.fields import BROKEN, Number
from app.schemas.parameters import Parameters
from app.schemas.transcription import TranscriptionParameters
from app.submission.receiver import read_receiver

NOT_GIVEN = frozenset(("", "null", "undefined", "none", "auto", "und"))
OUTPUTS = ("txt", "vtt", "srt", "tsv", "json")
TASKS = {"transcribe": False, "translate": True}
# Theirs: ours.
TRANSCRIPTION_NAMES = {
    "task": "is_translate",
    "language": "lang",
    "initial_prompt": "initial_prompt",
    "hotwords": "hotwords",
    "vad_filter": "vad_filter",
    "diarize": "is_diarize",
    "enable_diarization": "is_diarize",
    "num_speakers": "num_speakers",
    "min_speakers": "min_speakers",
    "max_speakers": "max_speakers",
    "return_speaker_embeddings": "speaker_embeddings",
    "model": "model_size",
    "encode": "raw_pcm",
    # Home Assistant sends OpenAI's names here, with the field "file".
    "prompt": "initial_prompt",
    "temperature": "temperature",
}
DETECTION_NAMES = {"model": "model_size", "encode": "raw_pcm", "detect_lang_length": "language_detection_segments"}
WEBHOOK = "webhook_url"
OUTPUT_NAMES = ("output", "output_format", "response_format")
OTHER_OUTPUTS = {"text": "txt", "verbose_json": "json"}
WINDOW_SECONDS = 30
MOST_NAMED = 20
NAME_LENGTH = 60


@dataclass(frozen=True)
class Asked(Generic[P_co]):
    """What a request asks for, beside the recording.

    ``word_times``: show the times of words where the format has a place for them.
    """

    params: P_co
    warnings: tuple[str, ...]
    output: str = "json"
    word_times: bool = False
    receiver: Receiver | None = None


def read_transcription(request: Request, is_raw: bool) -> Asked[TranscriptionParams]:
    """Read the parameters of /asr; ``is_raw``: the part announces samples without a header.

    Answers 422 with the errors by their names here.
    """
    given, warnings = _read_given(request, {*TRANSCRIPTION_NAMES, *OUTPUT_NAMES, "word_timestamps", WEBHOOK})
    output = _choose_output(given, request, warnings)
    native = _translate(given, TRANSCRIPTION_NAMES, is_raw, warnings)
    # Words are always timed: cues of subtitles begin and end with them.
    params: TranscriptionParams = _load(
        TranscriptionParameters(), native | {"word_timestamps": True}, TRANSCRIPTION_NAMES
    )
    word_times = _read_boolean("word_timestamps", given.get("word_timestamps", "false"))
    if word_times and output not in ("json", "vtt"):
        warnings.append(f"word_timestamps has no effect: {output} has no times of words.")
    warnings += effects.describe_ignored(params, get_defaults())
    return Asked(params, tuple(warnings), output, word_times, read_receiver(given.get(WEBHOOK)))


def read_detection(request: Request, is_raw: bool) -> Asked[DetectLanguageParams]:
    """Read the parameters of /detect-language."""
    given, warnings = _read_given(request, {*DETECTION_NAMES, WEBHOOK})
    native = _translate(given, DETECTION_NAMES, is_raw, warnings)
    params: DetectLanguageParams = _load(DetectLanguageParameters(), native, DETECTION_NAMES)
    warnings += detect_language.describe_ignored(params)
    return Asked(params, tuple(warnings), receiver=read_receiver(given.get(WEBHOOK)))


def prefers_json(request: Request) -> bool:
    """Whether the client accepts JSON, and text less or not at all. Many clients accept everything."""
    accepted = request.accept_mimetypes
    return bool(accepted.quality("application/json") > accepted.quality("text/plain"))


def _read_given(request: Request, known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return the parameters that have a value, and a warning for each of the others.

    The query goes before the form, the last value before others.
    """
    sent = {
        name or "": values[-1].strip()
        for place in (request.form, parse_query(request))
        for name, values in place.lists()
        if name not in FIELDS
    }
    given = {name: value for name, value in sent.items() if name in known and value.lower() not in NOT_GIVEN}
    # A name without a value may be the end of a text in which "&" was not escaped.
    return given, _describe_unknown([name for name in sent if name not in known], request)


def _choose_output(given: Mapping[str, str], request: Request, warnings: list[str]) -> str:
    asked = next((given[name].lower() for name in OUTPUT_NAMES if name in given), None)
    if asked is None:
        return "json" if prefers_json(request) else "txt"
    output = OTHER_OUTPUTS.get(asked, asked)
    if output not in OUTPUTS:
        warnings.append(f"output {_show(asked)} is unknown: txt was used instead.")
        return "txt"
    return output


def _translate(given: Mapping[str, str], names: Mapping[str, str], is_raw: bool, warnings: list[str]) -> dict[str, Any]:
    """Return the parameters as the native schema takes them."""
    native: dict[str, Any] = {}
    for name, value in given.items():
        ours = names.get(name)
        if name == "task":
            native[ours or name] = _read_choice(name, value, TASKS)
        elif name == "encode":
            native["raw_pcm"] = not _read_boolean(name, value)
        elif ours == "is_diarize":
            native[ours] = native.get(ours, False) or _read_boolean(name, value)
        elif name == "model" and value not in whisper_models(get_settings()):
            default = get_settings().whisper.model_size
            warnings.append(f"model {_show(value)} is not available on this server: {default} was used instead.")
        elif name == "detect_lang_length":
            native["language_detection_segments"] = _count_windows(name, value)
        elif ours is not None:
            native[ours] = value
    return native | ({"raw_pcm": True} if is_raw else {})


def _load(schema: Parameters, native: dict[str, Any], names: Mapping[str, str]) -> Any:
    theirs = {ours: name for name, ours in reversed([*names.items()])}
    try:
        return schema.load(native)
    except ValidationError as error:
        reject({theirs.get(name, name): messages for name, messages in error.messages_dict.items()})


def _read_boolean(name: str, value: str) -> bool:
    try:
        return bool(Boolean().deserialize(value))
    except ValidationError:
        reject({name: ["Must be true or false."]})


def _read_choice(name: str, value: str, choices: Mapping[str, bool]) -> bool:
    if value.lower() not in choices:
        reject({name: [f"Must be one of: {', '.join(choices)}."]})
    return choices[value.lower()]


def _count_windows(name: str, value: str) -> int:
    try:
        seconds = float(Number(validate=validate.Range(0)).deserialize(value))
    except ValidationError:
        reject({name: ["Must be a number of seconds, at least 0."]})
    return min(MOST_WINDOWS, max(1, math.ceil(seconds / WINDOW_SECONDS)))


def _describe_unknown(names: list[str], request: Request) -> list[str]:
    """List a warning for each name without effect. Values are not shown: some are paths on the client's machine."""
    unknown = [*names, *list_other_files(request)]
    more = [f"{len(unknown) - MOST_NAMED} more parameters have no effect."] if len(unknown) > MOST_NAMED else []
    return [
        f"{_show(name)} has no effect: /{request.path.strip('/')} has no such parameter."
        for name in unknown[:MOST_NAMED]
    ] + more


def _show(text: str) -> str:
    return BROKEN.sub("?", text)[:NAME_LENGTH]
