"""Split a segment into speaker turns, made of unbreakable pieces with their times."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from app.formats.spacing import is_unspaced
from app.formats.text import display_width, find_breaks, normalize
from app.formats.timing import Clock, TimedWord, locate_words

SKIPPED = re.compile(r"[\s,]*")


class Piece(NamedTuple):
    """An unbreakable piece of text.

    Times are in milliseconds; ``timed`` is true when a word with its own time begins it. ``probability`` is the lowest of
    its words, None if unknown.
    """

    text: str
    width: int
    spaced: bool
    start: int
    end: int
    timed: bool
    speaker: str | None
    probability: float | None = None


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
    found = group_turns(segment, room)
    if found:  # the first and last turn extend to the segment's own times
        start, end = to_milliseconds(segment["start"]), to_milliseconds(segment["end"])
        found[0][0] = found[0][0]._replace(start=min(start, found[0][0].end))
        found[-1][-1] = found[-1][-1]._replace(end=max(end, found[-1][-1].start))
    return found


def group_turns(segment: dict[str, Any], room: int, by_word: bool = False) -> list[list[Piece]]:
    """Split a segment at speaker changes into pieces with the times of their words.

    ``by_word``: also divide pieces where a word begins that the script does not separate by a space.
    """
    return [list(turn) for _, turn in groupby(_pieces(segment, room, by_word), key=lambda piece: piece.speaker)]


def join_pieces(pieces: list[Piece]) -> str:
    """Join pieces to a line of text."""
    return "".join(" " * (piece.spaced and number > 0) + piece.text for number, piece in enumerate(pieces))


def to_milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _pieces(segment: dict[str, Any], room: int, by_word: bool) -> Iterator[Piece]:
    text = normalize(segment["text"])
    words = locate_words(text, segment.get("words") or [])
    clock = Clock(len(text), segment["start"], segment["end"], words)
    speakers = _speaker_changes(words, normalize(segment.get("speaker")) or None)
    known = [(word.start, word.probability) for word in words if word.probability is not None]
    cuts = [place for place, _ in speakers]
    if by_word:
        cuts = sorted({*cuts, *_unspaced_starts(text, words)})
    for whole in find_breaks(text, room):
        for start, end in _split_at(*whole, cuts):
            said = text[start:end]
            begin, over = to_milliseconds(clock.begin(start)), to_milliseconds(clock.end(end))
            speaker = speakers[bisect_right(speakers, start, key=itemgetter(0)) - 1][1]
            spaced = start > 0 and text[start - 1] == " "
            inside = known[bisect_left(known, start, key=itemgetter(0)) : bisect_left(known, end, key=itemgetter(0))]
            sure = min((probability for _, probability in inside), default=None)
            yield Piece(said, display_width(said), spaced, begin, over, start in clock.known, speaker, sure)


def _unspaced_starts(text: str, words: list[TimedWord]) -> Iterator[int]:
    """Yield where words begin within Chinese, Japanese, Thai and the like, but not before a combining mark."""
    for word in words:
        place = word.start
        if (
            place
            and is_unspaced(text[place - 1], text[place])
            and not unicodedata.category(text[place]).startswith("M")
        ):
            yield place


def _speaker_changes(words: list[TimedWord], otherwise: str | None) -> list[tuple[int, str | None]]:
    """List (position, speaker) of each speaker change.

    A word without a speaker keeps the previous one.
    """
    named = [word for word in words if word.speaker is not None]
    first = (0, named[0].speaker if named else otherwise)
    said = [first, *((word.start, word.speaker) for word in named)]
    return [first, *(now for before, now in zip(said, said[1:], strict=False) if now[1] != before[1])]


def _split_at(start: int, end: int, places: list[int]) -> Iterator[tuple[int, int]]:
    inside = places[bisect_right(places, start) : bisect_left(places, end)]
    bounds = [start, *inside, end]
    return zip(bounds, bounds[1:], strict=False)
