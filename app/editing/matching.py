"""Find which tokens two texts have in common, and which times the tokens of the old one have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Any, NamedTuple

from app.editing.tokens import Token

SEARCHED = 40  # characters after the last word in which the next one is expected
MOST_COMPARISONS = 10_000  # pairs of tokens; difflib takes too long for more, and such a text is written anew
Word = dict[str, Any]
Span = tuple[float, float]  # seconds


class Match(NamedTuple):
    """The tokens ``old[first:last]`` have become ``new[start:end]``; ``same``: they are the same words."""

    same: bool
    first: int
    last: int
    start: int
    end: int


@dataclass
class Unit:
    """The smallest part of a text that is both whole tokens, ``tokens[first:last]``, and whole words.

    It has no words if its tokens have no times.
    """

    first: int
    last: int
    end: int
    words: list[Word] = field(default_factory=list)


def match_tokens(old: Sequence[Token], new: Sequence[Token]) -> Iterator[Match]:
    """Yield what became of the old tokens, in order; spans that are the same and others take turns."""
    keys, others = [token.key for token in old], [token.key for token in new]
    head = _count_same(keys, others)
    tail = _count_same(keys[head:][::-1], others[head:][::-1])
    inner, given = keys[head : len(keys) - tail], others[head : len(others) - tail]
    blocks = [(0, 0, head)]
    if len(inner) * len(given) <= MOST_COMPARISONS:
        found = SequenceMatcher(None, inner, given, autojunk=False).get_matching_blocks()
        blocks += [(first + head, start + head, size) for first, start, size in found if size]
    blocks.append((len(keys) - tail, len(others) - tail, tail))
    place, there = 0, 0
    for first, start, size in blocks:
        yield Match(False, place, first, there, start)
        yield Match(True, first, first + size, start, start + size)
        place, there = first + size, start + size


def _count_same(keys: Sequence[str], others: Sequence[str]) -> int:
    pairs = enumerate(zip(keys, others, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(keys), len(others)))


def group_tokens(text: str, tokens: Sequence[Token], words: Sequence[Word]) -> list[Unit]:
    """Divide the tokens of ``text`` where both a token and a word end.

    Words that are not in the text are left out.
    """
    placed = list(_place_words(text, words))
    units: list[Unit] = []
    for number, token in enumerate(tokens):
        if units and token.start < units[-1].end:
            units[-1].last, units[-1].end = number + 1, max(units[-1].end, token.end)
        else:
            units.append(Unit(number, number + 1, token.end))
        while placed and placed[0][0] < units[-1].end:
            _, end, word = placed.pop(0)
            units[-1].words.append(word)
            units[-1].end = max(units[-1].end, end)
    return units


def _place_words(text: str, words: Sequence[Word]) -> Iterator[tuple[int, int, Word]]:
    position = 0
    for word in words:
        said = word["word"].strip()
        place = text.find(said, position, position + len(said) + SEARCHED) if said else -1
        if place >= 0:
            position = place + len(said)
            yield place, position, word


def time_tokens(tokens: Sequence[Token], units: Sequence[Unit]) -> list[Span | None]:
    """Return the times of each token: those of its words, or its share of them."""
    times: list[Span | None] = []
    for unit in units:
        inside = tokens[unit.first : unit.last]
        if unit.words:
            times += share_time(unit.words[0]["start"], unit.words[-1]["end"], [token.letters for token in inside])
        else:
            times += [None] * len(inside)
    return times


def share_time(start: float, end: float, letters: Sequence[int]) -> list[Span]:
    """Divide the time from ``start`` to ``end`` (seconds) in proportion to ``letters``."""
    total = sum(letters)
    bounds = [start, *(round(start + (end - start) * count / total, 3) for count in accumulate(letters))]
    bounds = [min(max(bound, start), max(start, end)) for bound in bounds]
    return list(zip(bounds, bounds[1:], strict=False))
