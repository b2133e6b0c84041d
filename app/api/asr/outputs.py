"""Write a transcript in whisper-asr-webservice's formats, with speakers as whisperx names them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app.core.db.results import Result
from app.core.db.tasks import Task
from app.formats import srt, txt, vtt
from app.formats.text import normalize
from app.formats.turns import iter_items, to_milliseconds

SPACELESS = ("zh", "yue", "ja", "th", "lo", "my")  # no spaces between words, nor between sentences
NUMBERS = ("id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio")


def write(output: str, row: Task, result: Result, word_times: bool) -> Iterator[str]:
    """Write the result of a transcription in pieces."""
    if output == "json":
        return _write_json(row, result)
    if output == "tsv":
        return _write_tsv(result.result)
    if output == "vtt":
        return vtt.write(result.result, name_speaker, word_times)
    if output == "srt":
        return srt.write(result.result, name_speaker)
    return txt.write(result.result, name_speaker)


def name_speaker(speaker: str | None) -> str:
    """The prefix of a speaker's text."""
    return f"[{speaker}]: " if speaker else ""


def _write_tsv(result: str) -> Iterator[str]:
    yield "start\tend\ttext\n"
    for segment in iter_items(result):
        yield f"{to_milliseconds(segment['start'])}\t{to_milliseconds(segment['end'])}\t{normalize(segment['text'])}\n"


def _write_json(row: Task, result: Result) -> Iterator[str]:
    # The segments are read several times, so that a long transcript is never in memory as a whole.
    space = "" if row.language in SPACELESS else " "
    text = space.join(segment["text"] for segment in iter_items(result.result))
    yield f'{{"text": {_dump(text)}'
    if row.language:
        yield f', "language": {_dump(row.language)}'
    yield ', "segments": ['
    for number, segment in enumerate(iter_items(result.result)):
        yield (", " if number else "") + _dump(_describe(segment, space))
    yield '], "word_segments": ['
    words = (word for segment in iter_items(result.result) for word in segment["words"])
    for number, word in enumerate(words):
        yield (", " if number else "") + _dump(_describe_word(word))
    yield "]"
    if result.speaker_embeddings:
        yield f', "speaker_embeddings": {result.speaker_embeddings}'
    if row.warnings != "[]":
        yield f', "warnings": {row.warnings}'
    yield "}\n"


def _describe(segment: dict[str, Any], space: str) -> dict[str, Any]:
    """Describe a segment. Its text begins with a space, as Whisper's does, so that clients can join the texts."""
    described = {name: segment[name] for name in NUMBERS} | {"no_speech_prob": segment["no_speech_prob"]}
    described["text"] = space + segment["text"]
    described["words"] = [_describe_word(word) for word in segment["words"]] or None
    return described | _describe_speaker(segment)


def _describe_word(word: dict[str, Any]) -> dict[str, Any]:
    described = {name: word[name] for name in ("word", "start", "end", "probability")}
    return described | {"score": word["probability"]} | _describe_speaker(word)


def _describe_speaker(said: dict[str, Any]) -> dict[str, Any]:
    return {} if said["speaker"] is None else {"speaker": said["speaker"]}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
