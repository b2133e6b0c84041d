"""Tab-separated values as Whisper writes them (times in milliseconds), plus a speaker column."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from app.formats.turns import items, line, milliseconds, turns


def write(result: str) -> Iterator[str]:
    """Write a transcript.

    The texts hold no tab or newline, so no cell needs quotes.
    """
    yield "start\tend\ttext\tspeaker\n"
    for segment in items(result):
        for turn in turns(segment, sys.maxsize):
            yield f"{turn[0].start}\t{turn[-1].end}\t{line(turn)}\t{turn[0].speaker or ''}\n"


def write_spans(result: str) -> Iterator[str]:
    """Write speech segments, which have no text."""
    yield "start\tend\n"
    for span in items(result):
        yield f"{milliseconds(span['start'])}\t{milliseconds(span['end'])}\n"
