"""A segment as its turns: what one speaker says without a break, in pieces that know when they are spoken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from app.formats.text import columns, plain, spans
from app.formats.timing import Clock, Spoken, located

SKIPPED = re.compile(r"[\s,]*")


class Piece(NamedTuple):
    """What a line may not divide. ``start`` and ``end`` in milliseconds; ``timed`` when a word of its own begins with it."""

    text: str
    width: int
    spaced: bool
    start: int
    end: int
    timed: bool
    speaker: str | None


def items(result: str) -> Iterator[dict[str, Any]]:
    """The members of a JSON list, read one by one: those of a long transcript are never all in memory."""
    decode = json.JSONDecoder().raw_decode
    position = SKIPPED.match(result, result.index("[") + 1).end()  # type: ignore[union-attr]
    while result[position] != "]":
        item, position = decode(result, position)
        yield item
        position = SKIPPED.match(result, position).end()  # type: ignore[union-attr]


def turns(segment: dict[str, Any], room: int) -> list[list[Piece]]:
    """The pieces of a segment, each at most ``room`` columns wide, divided where the speaker changes; none without text."""
    found = [list(turn) for _, turn in groupby(_pieces(segment, room), key=lambda piece: piece.speaker)]
    if found:  # the whole of a segment lasts as long as the segment
        start, end = milliseconds(segment["start"]), milliseconds(segment["end"])
        found[0][0] = found[0][0]._replace(start=min(start, found[0][0].end))
        found[-1][-1] = found[-1][-1]._replace(end=max(end, found[-1][-1].start))
    return found


def line(pieces: list[Piece]) -> str:
    return "".join(" " * (piece.spaced and number > 0) + piece.text for number, piece in enumerate(pieces))


def milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _pieces(segment: dict[str, Any], room: int) -> Iterator[Piece]:
    text = plain(segment["text"])
    words = located(text, segment.get("words") or [])
    clock = Clock(len(text), segment["start"], segment["end"], words)
    speakers = _speakers(words, plain(segment.get("speaker")) or None)
    for whole in spans(text, room):
        for start, end in _cut(*whole, [place for place, _ in speakers]):
            said = text[start:end]
            begin, over = milliseconds(clock.begin(start)), milliseconds(clock.end(end))
            speaker = [name for place, name in speakers if place <= start][-1]
            spaced = start > 0 and text[start - 1] == " "
            yield Piece(said, columns(said), spaced, begin, over, start in clock.known, speaker)


def _speakers(words: list[Spoken], otherwise: str | None) -> list[tuple[int, str | None]]:
    """Each place where another begins to speak. A word that nobody was found for belongs to whoever spoke before it."""
    named = [word for word in words if word.speaker is not None]
    first = (0, named[0].speaker if named else otherwise)
    said = [first, *((word.start, word.speaker) for word in named)]
    return [first, *(now for before, now in zip(said, said[1:], strict=False) if now[1] != before[1])]


def _cut(start: int, end: int, places: list[int]) -> Iterator[tuple[int, int]]:
    bounds = [start, *(place for place in places if start < place < end), end]
    return zip(bounds, bounds[1:], strict=False)
