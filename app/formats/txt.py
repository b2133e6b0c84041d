"""Plain text: one line per speaker turn of each segment."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from app.formats.srt import lead
from app.formats.turns import items, line, turns


def write(result: str) -> Iterator[str]:
    for segment in items(result):
        for turn in turns(segment, sys.maxsize):
            yield f"{lead(turn[0].speaker)}{line(turn)}\n"
