"""The OpenAPI document of whisper-asr-webservice's contract."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.api.asr.errors import TEXT
from app.api.asr.parameters import OUTPUTS, TASKS, WEBHOOK
from app.core.catalog.catalog import whisper_models
from app.core.languages import LANGUAGES, NAMES
from app.current import get_settings
from app.openapi import VERSION

BOOLEAN = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 1}
ENCODE = (
    "encode",
    {**BOOLEAN, "default": True},
    "false: the recording may be samples without a header, 16 bit, little endian, 16 kHz, mono.",
)
RECEIVER = (WEBHOOK, {"type": "string"}, "URL that gets a signed POST when the task has ended.")
ERRORS = (400, 408, 413, 429, 500, 503, 507)
JSON_EXAMPLE = {
    "text": "hello monday",
    "language": "en",
    "segments": [
        {
            "id": 0,
            "seek": 0,
            "start": 0.31,
            "end": 1.64,
            "text": " hello monday",
            "tokens": [301, 317],
            "temperature": 0.0,
            "avg_logprob": -0.08,
            "compression_ratio": 0.6,
            "no_speech_prob": 0.01,
            "words": [{"word": "hello", "start": 0.31, "end": 0.82, "probability": 0.97, "score": 0.97}],
        }
    ],
    "word_segments": [{"word": "hello", "start": 0.31, "end": 0.82, "probability": 0.97, "score": 0.97}],
}


def describe_contract() -> dict[str, Any]:
    """Return the document, with the models of this server."""
    model = ("model", {"type": "string", "enum": sorted(whisper_models(get_settings()))}, "Whisper model.")
    transcription = (
        ENCODE,
        ("task", {"type": "string", "enum": list(TASKS), "default": "transcribe"}, "translate: into English."),
        ("language", {"type": "string"}, "A code or an English name. Default: the language is detected."),
        ("initial_prompt", {"type": "string"}, "Text that precedes the recording, for example names."),
        ("hotwords", {"type": "string"}, "Words to expect."),
        ("vad_filter", {**BOOLEAN, "default": False}, "Decode only where there is speech."),
        ("word_timestamps", {**BOOLEAN, "default": False}, "Show the times of words in vtt; json always has them."),
        ("diarize", {**BOOLEAN, "default": False}, "Name the speakers. The same as enable_diarization."),
        ("enable_diarization", {**BOOLEAN, "default": False}, "The same as diarize."),
        ("num_speakers", COUNT, "Exact number of speakers."),
        ("min_speakers", COUNT, "Fewest speakers."),
        ("max_speakers", COUNT, "Most speakers."),
        RECEIVER,
        ("return_speaker_embeddings", {**BOOLEAN, "default": False}, "One vector per speaker, in json."),
        ("output", {"type": "string", "enum": [*OUTPUTS, "text"], "default": "txt"}, "Format. Others give txt."),
        ("output_format", {"type": "string", "enum": [*OUTPUTS, "text"]}, "The same as output."),
        model,
    )
    length = ("detect_lang_length", {"type": "number", "default": 30}, "Seconds of speech to examine.")
    paths = {
        "/asr": _describe("Transcribe a recording.", transcription, _describe_transcript()),
        "/detect-language": _describe(
            "Detect the language of a recording.", (ENCODE, model, length, RECEIVER), _describe_language()
        ),
    }
    about = "The contract of whisper-asr-webservice. Each request makes a task, which its header X-Speech-Task names."
    return {
        "openapi": "3.0.3",
        "info": {"title": "Speech API: whisper-asr-webservice", "version": VERSION, "description": about},
        "servers": [{"url": "../"}],
        "paths": paths,
    }


def _describe(
    summary: str, parameters: tuple[tuple[str, dict[str, Any], str], ...], content: dict[str, Any]
) -> dict[str, Any]:
    recording = {"type": "string", "format": "binary", "description": "Audio or video, in any common format."}
    form = {"type": "object", "properties": {"audio_file": recording}, "required": ["audio_file"]}
    error = {TEXT: {"schema": {"type": "string"}, "example": "invalid_media: The file cannot be decoded."}}
    answers = {str(code): {"description": HTTPStatus(code).phrase, "content": error} for code in ERRORS}
    header = {"description": "Identifier of the task, see GET /task/{identifier}.", "schema": {"type": "string"}}
    success = {"description": "OK", "headers": {"X-Speech-Task": header}, "content": content}
    operation = {
        "summary": summary,
        "parameters": [
            {"in": "query", "name": name, "schema": schema, "description": text} for name, schema, text in parameters
        ],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {"200": success} | answers,
    }
    return {"post": operation}


def _describe_transcript() -> dict[str, Any]:
    return {
        TEXT: {"schema": {"type": "string"}, "example": "hello monday\n"},
        "application/json": {"schema": {"type": "object"}, "example": JSON_EXAMPLE},
    }


def _describe_language() -> dict[str, Any]:
    properties = {
        "detected_language": {"type": "string", "enum": [name for code, name in NAMES.items() if code != "yue"]},
        "language_code": {"type": "string", "enum": [code for code in LANGUAGES if code != "yue"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    example = {"detected_language": "german", "language_code": "de", "confidence": 0.98}
    return {"application/json": {"schema": schema, "example": example}}
