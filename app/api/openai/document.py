"""The OpenAPI document of OpenAI's paths, served at /openapi/openai.json."""

from __future__ import annotations

from typing import Any

from app.api.openai.asked import FORMATS, GRANULARITIES
from app.api.openai.names import list_names
from app.api.openai.parameters import DIARIZED
from app.current import get_settings
from app.openapi import VERSION

DESCRIPTION = """
The audio part of OpenAI's API, for its SDKs and the many clients that speak it. Set their base URL to `/v1` of this
server. Each path also exists without `/v1`, and below `/openai/deployments/{name}` as Azure has it.

Fields that have no effect are accepted, and named in `warnings`. Parameters of `POST /transcription` may be sent under their
own names, too. Each answer names its task in the header `X-Speech-Task`.
"""
NUMBER, TEXT = {"type": "number"}, {"type": "string"}
ERRORS = {
    "400": "A field is missing or wrong, or the recording cannot be read.",
    "401": "A valid API key is needed.",
    "408": "The task is still running; send the same request again to wait for it.",
    "413": "The recording is too large or too long.",
    "415": "The body is no form.",
    "429": "Too many requests; try again after the seconds in Retry-After.",
    "500": "The task failed.",
    "503": "No worker is running, or the database is not available.",
    "507": "The disk is full.",
}


def make_document() -> dict[str, Any]:
    """Describe the paths, with the models of this server."""
    names = list_names(get_settings())
    read_errors = ("401", "503")
    return {
        "openapi": "3.0.3",
        "info": {"title": "Speech API for clients of OpenAI", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "../v1"}],
        "paths": {
            "/audio/transcriptions": {"post": _describe_audio("Transcribe a recording.", _list_fields(names, False))},
            "/audio/translations": {
                "post": _describe_audio("Translate a recording to English.", _list_fields(names, True))
            },
            "/models": {
                "get": {
                    "summary": "List the models.",
                    "parameters": [
                        {
                            "name": "task",
                            "in": "query",
                            "description": "Only models for this task.",
                            "schema": {"type": "string", "example": "automatic-speech-recognition"},
                        }
                    ],
                    "responses": _answer("The models.", "Models") | _list_errors(*read_errors),
                }
            },
            "/models/{model}": {
                "get": {
                    "summary": "Describe a model.",
                    "parameters": [{"name": "model", "in": "path", "required": True, "schema": TEXT}],
                    "responses": _answer("The model.", "Model")
                    | _list_errors(*read_errors)
                    | {"404": {"description": "There is no such model.", "content": _refer("Error")}},
                }
            },
        },
        "components": {"schemas": SCHEMAS},
    }


def _describe_audio(summary: str, fields: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": ["file"], "properties": fields, "additionalProperties": True}
    texts = {"text/plain": {"schema": TEXT}, "text/vtt": {"schema": TEXT}, "text/event-stream": {"schema": TEXT}}
    answer = {"description": "The transcript in the format asked for.", "content": _refer("Transcript") | texts}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {"200": answer} | _list_errors(*ERRORS),
    }


def _list_fields(names: list[str], translates: bool) -> dict[str, Any]:
    formats = [name for name in FORMATS if name != DIARIZED or not translates]
    common = {
        "file": {"type": "string", "format": "binary", "description": "Audio or video, in any common format."},
        "model": _describe("Left out, or a name that OpenAI uses: the default model.", enum=names),
        "language": _describe("A code, a tag or an English name. Left out, it is detected."),
        "prompt": _describe("Text that precedes the recording, such as names."),
        "response_format": _describe("The format of the answer.", enum=formats, default="json"),
        "temperature": {**NUMBER, "minimum": 0, "default": 0, "description": "0: raised only where decoding fails."},
        "webhook_url": _describe("URL that gets a signed POST when the task has ended."),
        "stream": {"type": "boolean", "default": False, "description": "Send the text as server-sent events."},
        "timestamp_granularities[]": _describe_list("What verbose_json contains.", enum=list(GRANULARITIES)),
        "keywords[]": _describe_list("Words and phrases to expect."),
        "chunking_strategy": _describe(
            "`auto`, or an object with type `server_vad`: decode only where there is speech."
        ),
    }
    if translates:
        return common
    return common | {
        "languages[]": _describe_list("One language, as `language`; several have no effect."),
        "include[]": _describe_list("No effect."),
        "known_speaker_names[]": _describe_list("No effect."),
        "known_speaker_references[]": _describe_list("No effect."),
    }


def _describe(text: str, **more: Any) -> dict[str, Any]:
    return {**TEXT, "description": text, **more}


def _describe_list(text: str, **items: Any) -> dict[str, Any]:
    return {"type": "array", "items": TEXT | items, "description": text}


def _answer(text: str, schema: str) -> dict[str, Any]:
    return {"200": {"description": text, "content": _refer(schema)}}


def _list_errors(*codes: str) -> dict[str, Any]:
    return {code: {"description": ERRORS[code], "content": _refer("Error")} for code in codes}


def _refer(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


MAYBE = {**TEXT, "nullable": True}
SCHEMAS: dict[str, Any] = {
    "Transcript": _object(
        "text",
        text=TEXT,
        task={**TEXT, "enum": ["transcribe", "translate"]},
        language=_describe("English name in lower case (verbose_json)."),
        languages=_list_of(_object("code", code=TEXT)),
        duration={**NUMBER, "description": "Seconds."},
        segments=_list_of({"type": "object", "description": "With times, and speakers in diarized_json."}),
        words=_list_of(_object("word", "start", "end", word=TEXT, start=NUMBER, end=NUMBER)),
        word_segments=_list_of({"type": "object", "description": "All words of diarized_json, with speakers."}),
        usage=_object("type", "seconds", type={**TEXT, "enum": ["duration"]}, seconds=NUMBER),
        warnings=_list_of(TEXT),
    ),
    "Model": _object(
        "id",
        "object",
        "created",
        "owned_by",
        id=TEXT,
        object={**TEXT, "enum": ["model"]},
        created={"type": "integer"},
        owned_by=TEXT,
        task=TEXT,
        language=_list_of(TEXT),
    ),
    "Models": _object(
        "object",
        "data",
        object={**TEXT, "enum": ["list"]},
        data=_list_of({"$ref": "#/components/schemas/Model"}),
    ),
    "Error": _object(
        "error", error=_object("message", "type", "param", "code", message=TEXT, type=TEXT, param=MAYBE, code=MAYBE)
    ),
}
