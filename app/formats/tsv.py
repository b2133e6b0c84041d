"""Tab-separated values as Whisper writes them (times in milliseconds), plus a speaker column."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from app.formats.turns import iter_items, join_pieces, split_turns, to_milliseconds


def write_segments(segments: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Write the decoded segments of a transcript.

    The texts hold no tab or newline, so no cell needs quotes.
    """
    yield "start\tend\ttext\tspeaker\n"
    for segment in segments:
        for turn in split_turns(segment, sys.maxsize):
            yield f"{turn[0].start}\t{turn[-1].end}\t{join_pieces(turn)}\t{turn[0].speaker or ''}\n"


def write_speech(result: str) -> Iterator[str]:
    """Write speech segments, which have no text."""
    yield "start\tend\n"
    for span in iter_items(result):
        yield f"{to_milliseconds(span['start'])}\t{to_milliseconds(span['end'])}\n"
