"""Split a segment into speaker turns, made of unbreakable pieces with their times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from app.formats.text import display_width, find_breaks, normalize
from app.formats.timing import Clock, TimedWord, locate_words

SKIPPED = re.compile(r"[\s,]*")


class Piece(NamedTuple):
    """An unbreakable piece of text.

    Times are in milliseconds; ``timed`` is true when a word with its own time begins it.
    """

    text: str
    width: int
    spaced: bool
    start: int
    end: int
    timed: bool
    speaker: str | None


def iter_items(result: str) -> Iterator[dict[str, Any]]:
    """Decode a JSON list item by item.

    A long transcript is never in memory as a whole.
    """
    decode = json.JSONDecoder().raw_decode
    position = SKIPPED.match(result, result.index("[") + 1).end()  # type: ignore[union-attr]
    while result[position] != "]":
        item, position = decode(result, position)
        yield item
        position = SKIPPED.match(result, position).end()  # type: ignore[union-attr]


def split_turns(segment: dict[str, Any], room: int) -> list[list[Piece]]:
    """Split a segment at speaker changes into pieces of at most ``room`` columns.

    A segment without text has no turns.
    """
    found = [list(turn) for _, turn in groupby(_pieces(segment, room), key=lambda piece: piece.speaker)]
    if found:  # the first and last turn extend to the segment's own times
        start, end = to_milliseconds(segment["start"]), to_milliseconds(segment["end"])
        found[0][0] = found[0][0]._replace(start=min(start, found[0][0].end))
        found[-1][-1] = found[-1][-1]._replace(end=max(end, found[-1][-1].start))
    return found


def join_pieces(pieces: list[Piece]) -> str:
    """Join pieces to a line of text."""
    return "".join(" " * (piece.spaced and number > 0) + piece.text for number, piece in enumerate(pieces))


def to_milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _pieces(segment: dict[str, Any], room: int) -> Iterator[Piece]:
    text = normalize(segment["text"])
    words = locate_words(text, segment.get("words") or [])
    clock = Clock(len(text), segment["start"], segment["end"], words)
    speakers = _speaker_changes(words, normalize(segment.get("speaker")) or None)
    for whole in find_breaks(text, room):
        for start, end in _split_at(*whole, [place for place, _ in speakers]):
            said = text[start:end]
            begin, over = to_milliseconds(clock.begin(start)), to_milliseconds(clock.end(end))
            speaker = [name for place, name in speakers if place <= start][-1]
            spaced = start > 0 and text[start - 1] == " "
            yield Piece(said, display_width(said), spaced, begin, over, start in clock.known, speaker)


def _speaker_changes(words: list[TimedWord], otherwise: str | None) -> list[tuple[int, str | None]]:
    """List (position, speaker) of each speaker change.

    A word without a speaker keeps the previous one.
    """
    named = [word for word in words if word.speaker is not None]
    first = (0, named[0].speaker if named else otherwise)
    said = [first, *((word.start, word.speaker) for word in named)]
    return [first, *(now for before, now in zip(said, said[1:], strict=False) if now[1] != before[1])]


def _split_at(start: int, end: int, places: list[int]) -> Iterator[tuple[int, int]]:
    bounds = [start, *(place for place in places if start < place < end), end]
    return zip(bounds, bounds[1:], strict=False)
