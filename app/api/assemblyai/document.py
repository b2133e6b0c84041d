"""The OpenAPI document of AssemblyAI's paths, served at /openapi/assemblyai.json."""

from __future__ import annotations

from typing import Any

from app.api.assemblyai.listing import MOST, USUAL
from app.api.assemblyai.subtitles import LEAST_CHARS, MOST_CHARS
from app.api.assemblyai.transcript import STATUSES
from app.openapi import VERSION

DESCRIPTION = """
The part of AssemblyAI's API for recordings, for its SDKs: set their base URL to that of this server. Upload a recording,
create a transcript, poll it until its `status` is `completed` or `error`.

Options that have no effect are accepted, and named in `metadata.warnings`. Each answer about a transcript names its task
in the header `X-Speech-Task`.
"""
TEXT, FLAG, WHOLE, NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}
TEXTS = {"type": "array", "items": TEXT}
STATUS = {"type": "string", "enum": list(dict.fromkeys(STATUSES.values()))}
ERRORS = {
    "400": "The request cannot be used; `error` says why.",
    "401": "A valid API key is needed.",
    "404": "There is no such transcript.",
    "408": "The body arrived too slowly.",
    "413": "The body is too large.",
    "415": "The body is compressed.",
    "429": "Too many requests, or the queue is full; try again after the seconds in Retry-After.",
    "503": "The database is not available.",
    "507": "The disk is full.",
}
ALWAYS = ("401", "429", "503")
SENDING = ("400", "408", "413", "415", "507")


def make_document() -> dict[str, Any]:
    """Describe the paths."""
    one = {"name": "transcript_id", "in": "path", "required": True, "schema": TEXT}
    chars = {
        "name": "chars_per_caption",
        "in": "query",
        "description": "Most characters of a caption. Without it, captions have two lines of 42.",
        "schema": {"type": "integer", "minimum": LEAST_CHARS, "maximum": MOST_CHARS},
    }
    words = {"name": "words", "in": "query", "required": True, "description": "Separated by commas.", "schema": TEXT}
    each = "/v2/transcript/{transcript_id}"
    body = {"required": True, "content": {"application/json": {"schema": _refer("Options")}}}
    recording = {"type": "string", "format": "binary", "minLength": 1}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Speech API for clients of AssemblyAI", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": ".."}],
        "paths": {
            "/v2/upload": {
                "post": _describe("Keep a recording for a transcript.", _refer("Upload"), *SENDING)
                | {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": recording}}}}
            },
            "/v2/transcript": {
                "post": _describe("Create a transcript.", _refer("Transcript"), *SENDING) | {"requestBody": body},
                "get": _describe("List transcripts, newest first.", _refer("Page"), "400", "404")
                | {"parameters": _list_filters()},
            },
            each: {
                "parameters": [one],
                "get": _describe("Follow a transcript.", _refer("Transcript"), "404"),
                "delete": _describe("Delete a transcript.", _refer("Transcript"), "404"),
            },
            f"{each}/sentences": _describe_part(one, "Return sentences.", _refer("Sentences")),
            f"{each}/paragraphs": _describe_part(one, "Return paragraphs.", _refer("Paragraphs")),
            f"{each}/srt": _describe_part(one, "Return SubRip subtitles.", None, chars, kind="text/plain"),
            f"{each}/vtt": _describe_part(one, "Return WebVTT subtitles.", None, chars, kind="text/vtt"),
            f"{each}/word-search": _describe_part(one, "Find words and phrases.", _refer("Matches"), words),
        },
        "components": {"schemas": SCHEMAS},
    }


def _refer(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _describe(
    summary: str, schema: dict[str, Any] | None, *errors: str, kind: str = "application/json"
) -> dict[str, Any]:
    answer = {"description": summary, "content": {kind: {"schema": schema or TEXT}}}
    failed = {
        code: {"description": ERRORS[code], "content": {"application/json": {"schema": _refer("Error")}}}
        for code in sorted({*errors, *ALWAYS})
    }
    return {"summary": summary, "responses": {"200": answer, **failed}}


def _describe_part(
    one: dict[str, Any],
    summary: str,
    schema: dict[str, Any] | None,
    *query: dict[str, Any],
    kind: str = "application/json",
) -> dict[str, Any]:
    described = _describe(summary, schema, "400", "404", kind=kind)
    return {"parameters": [one], "get": described | ({"parameters": list(query)} if query else {})}


def _list_filters() -> list[dict[str, Any]]:
    schemas = {
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        "status": STATUS,
        "before_id": TEXT,
        "after_id": TEXT,
        "created_on": {"type": "string", "format": "date"},
        "throttled_only": FLAG,
    }
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _describe_object(required: tuple[str, ...], **properties: dict[str, Any]) -> dict[str, Any]:
    named = {"required": list(required)} if required else {}  # OpenAPI 3.0 allows no empty list
    return {"type": "object", **named, "properties": properties}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _refer(name)}


SPAN = {"text": TEXT, "start": WHOLE, "end": WHOLE, "confidence": NUMBER, "speaker": TEXT}
TIMED = ("text", "start", "end", "confidence")
SCHEMAS: dict[str, Any] = {
    "Error": _describe_object(("error",), error=TEXT),
    "Upload": _describe_object(("upload_url",), upload_url=TEXT),
    "Word": _describe_object(TIMED, **SPAN),
    "Span": _describe_object((*TIMED, "words"), **SPAN, words=_list_of("Word")),
    "Transcript": _describe_object(
        ("id", "status", "audio_url"),
        id=TEXT,
        status=STATUS,
        audio_url=TEXT,
        text=TEXT,
        language_code=TEXT,
        language_detection=FLAG,
        speaker_labels=FLAG,
        punctuate=FLAG,
        format_text=FLAG,
        confidence=NUMBER,
        audio_duration=WHOLE,
        speech_model_used=TEXT,
        words=_list_of("Word"),
        utterances=_list_of("Span"),
        error=TEXT,
        metadata=_describe_object(
            ("warnings",), warnings={"type": "array", "items": _describe_object(("message",), message=TEXT)}
        ),
    ),
    "Sentences": _describe_object(
        ("id", "sentences"), id=TEXT, confidence=NUMBER, audio_duration=NUMBER, sentences=_list_of("Span")
    ),
    "Paragraphs": _describe_object(
        ("id", "paragraphs"), id=TEXT, confidence=NUMBER, audio_duration=NUMBER, paragraphs=_list_of("Span")
    ),
    "Matches": _describe_object(
        ("id", "total_count", "matches"),
        id=TEXT,
        total_count=WHOLE,
        matches={
            "type": "array",
            "items": _describe_object(
                ("text", "count", "timestamps", "indexes"),
                text=TEXT,
                count=WHOLE,
                timestamps={"type": "array", "items": {"type": "array", "items": WHOLE}},
                indexes={"type": "array", "items": WHOLE},
            ),
        },
    ),
    "Page": _describe_object(
        ("page_details", "transcripts"),
        page_details={"type": "object"},
        transcripts={"type": "array", "items": {"type": "object"}},
    ),
    "Options": {
        **_describe_object(
            ("audio_url",),
            audio_url=TEXT,
            language_code=TEXT,
            language_codes=TEXTS,
            language_detection=FLAG,
            speech_model=TEXT,
            speech_models=TEXTS,
            prompt=TEXT,
            temperature=NUMBER,
            keyterms_prompt=TEXTS,
            word_boost=TEXTS,
            speaker_labels=FLAG,
            speakers_expected=WHOLE,
            speaker_options=_describe_object((), min_speakers_expected=WHOLE, max_speakers_expected=WHOLE),
            webhook_url=TEXT,
            webhook_auth_header_name=TEXT,
            webhook_auth_header_value=TEXT,
        ),
        "additionalProperties": True,
    },
}
