"""A result as a file that other programs open: which formats there are, and which of them suits which kind of task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app.core.db.states import TRANSCRIPTION, VAD
from app.formats import json, srt, tsv, txt, vtt

Writer = Callable[[str], Iterator[str]]

# Raise it when a change makes any writer produce a different file: stored files of older versions are then rendered again.
VERSION = 1

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
WRITERS = {TRANSCRIPTION: TRANSCRIPT, VAD: {**ANY, "tsv": tsv.write_spans}}


def writers(task_type: str) -> Mapping[str, Writer]:
    """Format → what writes it, from the result's JSON text, for tasks of this kind."""
    return WRITERS.get(task_type, ANY)
