"""Result formats, and which of them each kind of task offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app.core.db.states import ALIGNMENT, DETECT_LANGUAGE, TRANSCRIPTION, VAD
from app.formats import json, srt, tsv, txt, vtt

Writer = Callable[[str], Iterator[str]]

# Raise it when a change makes any writer produce a different file: stored files of older versions are then rendered again.
VERSION = 2

MIMETYPES = {
    "json": "application/json",
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "tsv": "text/tab-separated-values",
}
ANY: Mapping[str, Writer] = {"json": json.write}
TRANSCRIPT: Mapping[str, Writer] = {
    **ANY,
    "txt": txt.write,
    "srt": srt.write,
    "vtt": vtt.write,
    "tsv": tsv.write,
}
WRITERS = {
    TRANSCRIPTION: TRANSCRIPT,
    ALIGNMENT: TRANSCRIPT,
    VAD: {**ANY, "tsv": tsv.write_speech},
    DETECT_LANGUAGE: {**ANY, "txt": txt.write_language},
}


def list_writers(task_type: str) -> Mapping[str, Writer]:
    """Map each format of a task type to its writer.

    A writer takes the result's JSON text and yields the file in pieces.
    """
    return WRITERS.get(task_type, ANY)
