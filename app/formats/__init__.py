"""Result formats, and which of them each kind of task offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app.core.db.states import ALIGNMENT, DETECT_LANGUAGE, TRANSCRIPTION, VAD
from app.formats import audacity, ctm, docx, eaf, json, nvivo, qda, rttm, srt, textgrid, tsv, txt, vtt
from app.formats.source import Source

Writer = Callable[[Source], Iterator[str] | Iterator[bytes]]

# Raise it when a change makes any writer produce a different file: stored files of older versions are then rendered again.
VERSION = 3

PLAIN = "text/plain"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MIMETYPES = {
    "json": "application/json",
    "txt": PLAIN,
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "tsv": "text/tab-separated-values",
    "textgrid": PLAIN,
    "eaf": "application/xml",
    "rttm": PLAIN,
    "ctm": PLAIN,
    "audacity": PLAIN,
    "qda": PLAIN,
    "nvivo": PLAIN,
    "docx": WORD,
}
BINARY = ("docx",)  # formats that are not text
# app/cli/outputs.py has the same names.
EXTENSIONS = {name: name for name in MIMETYPES} | {
    "textgrid": "TextGrid",
    "audacity": "labels.txt",
    "qda": "qda.txt",
    "nvivo": "nvivo.txt",
}


def _of_segments(write: Callable[[Iterable[dict[str, Any]]], Iterator[str]]) -> Writer:
    return lambda source: write(source.iter_segments())


def _of_result(write: Callable[[str], Iterator[str]]) -> Writer:
    return lambda source: write(source.result)


ANY: Mapping[str, Writer] = {"json": _of_result(json.write)}
TRANSCRIPT: Mapping[str, Writer] = {
    **ANY,
    "txt": _of_segments(txt.write_segments),
    "srt": _of_segments(srt.write_segments),
    "vtt": _of_segments(vtt.write_segments),
    "tsv": _of_segments(tsv.write_segments),
    "textgrid": textgrid.write,
    "eaf": eaf.write,
    "rttm": rttm.write,
    "ctm": ctm.write,
    "audacity": audacity.write,
    "qda": qda.write,
    "nvivo": nvivo.write,
    "docx": docx.write,
}
WRITERS: dict[str, Mapping[str, Writer]] = {
    TRANSCRIPTION: TRANSCRIPT,
    ALIGNMENT: {name: write for name, write in TRANSCRIPT.items() if name != "rttm"},  # it looks for no speakers
    VAD: {
        **ANY,
        "tsv": _of_result(tsv.write_speech),
        "textgrid": textgrid.write_speech,
        "eaf": eaf.write_speech,
        "rttm": rttm.write_speech,
        "audacity": audacity.write_speech,
    },
    DETECT_LANGUAGE: {**ANY, "txt": _of_result(txt.write_language)},
}


def list_writers(task_type: str) -> Mapping[str, Writer]:
    """Map each format of a task type to its writer.

    A writer takes what is known of a task and yields the file in pieces. It raises UnwritableError, at the latest when the
    first piece is read, if the result lacks what the format consists of.
    """
    return WRITERS.get(task_type, ANY)
