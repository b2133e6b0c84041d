"""The utterances of a transcript: each segment, divided where the speaker changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from app.formats.source import Source
from app.formats.turns import Piece, group_turns, join_pieces, to_milliseconds


class Utterance(NamedTuple):
    """What one speaker says in one segment, from ``start`` to ``end`` (milliseconds, start < end)."""

    start: int
    end: int
    speaker: str | None
    pieces: list[Piece]

    @property
    def text(self) -> str:
        return join_pieces(self.pieces)


def iter_utterances(source: Source, by_word: bool = False) -> Iterator[Utterance]:
    """Yield the utterances in the order of the transcript.

    They are inside the recording. ``by_word``: their pieces are words.
    """
    last = source.measure_length()
    for segment in source.iter_segments():
        turns = group_turns(segment, sys.maxsize, by_word)
        for number, pieces in enumerate(turns):
            start, end = pieces[0].start, pieces[-1].end
            if number == 0:  # the first and last turn extend to the segment's own times
                start = min(start, to_milliseconds(segment["start"]))
            if number == len(turns) - 1:
                end = max(end, to_milliseconds(segment["end"]))
            yield Utterance(*clip(start, end, 0, last), pieces[0].speaker, pieces)


def clip(start: int, end: int, first: int, last: int | None) -> tuple[int, int]:
    """Move an interval into the one from ``first`` to ``last`` (None: no limit); it lasts at least 1 ms."""
    start = max(start, first)
    if last is not None:
        start = min(start, last - 1)
        end = min(end, last)
    return start, max(end, start + 1)
