"""The answers, one function for each response_format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from app.api.openai.asked import Asked
from app.api.openai.parameters import DIARIZED
from app.api.openai.transcript import Segments, join_texts, read_segments, space_texts
from app.core.db.tasks import Task
from app.formats import srt, vtt
from app.schemas.languages import NAMES

JSON = "application/json"
TYPES = {
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
# Strict clients want text where there is none: OpenAI always names a language and a speaker.
UNKNOWN = "unknown"


def write_answer(row: Task, result: str, asked: Asked, warnings: list[str]) -> tuple[str, str]:
    """Return body and content type for a finished task."""
    segments = read_segments(result)
    if asked.response_format in TYPES:
        return _write_text(segments, asked), TYPES[asked.response_format]
    write: Callable[[Task, Segments, Asked], dict[str, Any]] = {
        "verbose_json": make_verbose,
        DIARIZED: make_diarized,
    }.get(asked.response_format, make_plain)
    body = write(row, segments, asked)
    if warnings:
        body["warnings"] = warnings
    return json.dumps(body, ensure_ascii=False, allow_nan=False) + "\n", JSON


def make_plain(row: Task, segments: Segments, asked: Asked) -> dict[str, Any]:
    """``json``: the text."""
    return {
        "text": join_texts(segment["text"] for segment in segments),
        "languages": list_languages(row),
        "usage": describe_usage(row),
    }


def make_verbose(row: Task, segments: Segments, asked: Asked) -> dict[str, Any]:
    """``verbose_json``: segments and words. Texts of segments begin with the space that separates them."""
    texts = space_texts(segment["text"] for segment in segments)
    translated = asked.params.is_translate
    body: dict[str, Any] = {
        "task": "translate" if translated else "transcribe",
        "language": "english" if translated else _name_language(row, asked),
        "duration": row.audio_duration or 0.0,
        "text": "".join(texts).strip(),
    }
    if asked.segments:
        body["segments"] = [_make_segment(segment, text) for segment, text in zip(segments, texts, strict=True)]
    if asked.words:
        body["words"] = [_make_word(word) for segment in segments for word in segment["words"]]
    return body | {"usage": describe_usage(row)}


def make_diarized(row: Task, segments: Segments, asked: Asked) -> dict[str, Any]:
    """``diarized_json``, with the words that clients of WhisperX read."""
    made = list_diarized(segments)
    return {
        "task": "transcribe",
        "duration": row.audio_duration or 0.0,
        "text": join_texts(segment["text"] for segment in segments),
        "segments": made,
        "usage": describe_usage(row),
        "word_segments": [word for segment in made for word in segment["words"]],
    }


def list_diarized(segments: Segments) -> list[dict[str, Any]]:
    texts = space_texts(segment["text"] for segment in segments)
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": segment["start"],
            "end": segment["end"],
            "text": text,
            "speaker": segment["speaker"] or UNKNOWN,
            "words": [_make_scored_word(word) for word in segment["words"]],
        }
        for number, (segment, text) in enumerate(zip(segments, texts, strict=True))
    ]


def list_languages(row: Task) -> list[dict[str, str]]:
    """The language as a code; none was heard in silence."""
    return [{"code": row.language}] if row.language else []


def describe_usage(row: Task) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(row.audio_duration or 0.0)}


def _write_text(segments: Segments, asked: Asked) -> str:
    if asked.response_format == "text":
        return join_texts(segment["text"] for segment in segments) + "\n"
    result = json.dumps(segments)
    if asked.response_format == "srt":
        return "".join(srt.write(result))
    return "".join(vtt.write(result, word_times=asked.words))


def _make_segment(segment: dict[str, Any], text: str) -> dict[str, Any]:
    names = ("tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob")
    made = {name: segment[name] for name in ("id", "seek", "start", "end")} | {"text": text}
    return made | {name: segment[name] for name in names} | _add_speaker(segment)


def _make_word(word: dict[str, Any]) -> dict[str, Any]:
    return {"word": word["word"].strip(), "start": word["start"], "end": word["end"]} | _add_speaker(word)


def _make_scored_word(word: dict[str, Any]) -> dict[str, Any]:
    timed = {"word": word["word"].strip(), "start": word["start"], "end": word["end"]}
    return timed | {"score": word["probability"], "speaker": word["speaker"]}


def _add_speaker(said: dict[str, Any]) -> dict[str, Any]:
    return {} if said["speaker"] is None else {"speaker": said["speaker"]}


def _name_language(row: Task, asked: Asked) -> str:
    code = row.language or asked.params.lang
    return NAMES.get(code, code) if code else UNKNOWN
