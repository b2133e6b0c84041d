"""Plain text: one line per speaker turn of each segment."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from app.formats.srt import speaker_prefix
from app.formats.turns import iter_items, join_pieces, split_turns


def write(result: str) -> Iterator[str]:
    for segment in iter_items(result):
        for turn in split_turns(segment, sys.maxsize):
            yield f"{speaker_prefix(turn[0].speaker)}{join_pieces(turn)}\n"
