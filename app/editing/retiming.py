"""Give the words of an edited segment their times.

Words that did not change keep times, probability and speaker. New words share the time of the words that they replace, or
else the time between their neighbours, in proportion to their letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from app.editing.matching import (
    Match,
    Span,
    Unit,
    Word,
    group_tokens,
    match_tokens,
    share_time,
    time_tokens,
)
from app.editing.tokens import Token, split_tokens

SURE = 1.0  # the probability of a word that a person has written


class Piece(NamedTuple):
    """A word of the new text: a kept one, or one with so many ``letters`` that gets its time from its neighbours.

    ``replaces`` is the time of the old words in whose place it stands, if there were any.
    """

    text: str
    kept: Word | None
    letters: int = 1
    replaces: Span | None = None


def retime_words(segment: dict[str, Any], text: str) -> list[Word]:
    """Return the words of ``text``, which takes the place of the segment's text; none if the segment has no words.

    Start times (seconds) never fall, and new words lie inside the segment.
    """
    if not segment["words"]:
        return []
    return _time_pieces(list(_make_pieces(segment, text)), segment)


def _make_pieces(segment: dict[str, Any], text: str) -> Iterator[Piece]:
    old, new = split_tokens(segment["text"]), split_tokens(text)
    units = group_tokens(segment["text"], old, segment["words"])
    times = time_tokens(old, units)
    owners = [unit for unit in units for _ in range(unit.first, unit.last)]
    for match in match_tokens(old, new):
        if match.same:
            yield from _keep(match, segment["text"], text, old, new, owners, times)
        else:
            known = [span for span in times[match.first : match.last] if span is not None]
            replaces = (known[0][0], known[-1][1]) if known else None
            for token in new[match.start : match.end]:
                yield Piece(text[token.start : token.end], None, token.letters, replaces)


def _keep(
    match: Match,
    before: str,
    text: str,
    old: list[Token],
    new: list[Token],
    owners: list[Unit],
    times: list[Span | None],
) -> Iterator[Piece]:
    """Yield the words of tokens that did not change, apart from case and punctuation."""
    number, shift = match.first, match.start - match.first
    while number < match.last:
        unit = owners[number]
        is_whole = number == unit.first and unit.last <= match.last
        last = unit.last if is_whole else number + 1
        said = text[new[number + shift].start : new[last - 1 + shift].end]
        known = times[number]
        if is_whole and unit.words and said == before[old[number].start : old[last - 1].end]:
            yield from (Piece(word["word"], word) for word in unit.words)
        elif is_whole and len(unit.words) == 1:
            yield Piece(said, {**unit.words[0], "word": said})
        else:  # a part of a word, or several words that have become one
            for place in range(number, last):
                token, known = new[place + shift], times[place]
                part = text[token.start : token.end]
                kept = {**unit.words[0], "word": part, "start": known[0], "end": known[1]} if known else None
                yield Piece(part, kept, token.letters)
        number = last


def _time_pieces(pieces: list[Piece], segment: dict[str, Any]) -> list[Word]:
    words: list[Word] = []
    runs = [(is_kept, list(run)) for is_kept, run in groupby(pieces, key=lambda piece: piece.kept is not None)]
    for number, (is_kept, run) in enumerate(runs):
        if is_kept:
            words += [{**piece.kept} for piece in run if piece.kept is not None]
            continue
        following = runs[number + 1][1][0].kept if number + 1 < len(runs) else None
        latest = following["start"] if following else segment["end"]
        earliest = min(words[-1]["end"] if words else segment["start"], latest)
        start, end = _find_room(run, earliest, latest)
        nearest = words[-1] if words else following or segment
        spans = share_time(start, end, [piece.letters for piece in run])
        for piece, (begin, over) in zip(run, spans, strict=True):
            words.append(
                {
                    "word": piece.text,
                    "start": begin,
                    "end": over,
                    "probability": SURE,
                    "speaker": nearest.get("speaker"),
                }
            )
    return words


def _find_room(run: list[Piece], earliest: float, latest: float) -> Span:
    """Return the time for new words: that of the replaced ones as far as it is between their neighbours."""
    replaced = [piece.replaces for piece in run if piece.replaces is not None]
    if not replaced:
        return earliest, latest
    start, end = max(earliest, replaced[0][0]), min(latest, replaced[-1][1])
    return (start, end) if start < end else (earliest, latest)
