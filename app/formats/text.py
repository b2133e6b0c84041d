"""Clean text, measure it in display columns and find where lines may break."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import regex

# White space except the two no-break spaces, and control characters.
BLANK = re.compile(r"[^\S\u00a0\u202f]+|[\x00-\x1f\x7f-\x9f]+")
LONE = re.compile("[\ud800-\udfff]")
NONCHARACTERS = str.maketrans("", "", "\ufffe\uffff")
# Where a word must be divided: never before a combining mark or a closing mark, never after an opening mark
# (the strongest rules of Unicode Standard Annex 14).
CLUSTER = regex.compile(r"[\p{Ps}\p{Pi}]{0,3}\X[\p{Pe}\p{Pf}\p{Po}ーぁぃぅぇぉっゃゅょァィゥェォッャュョ]{0,3}")


def normalize(text: Any) -> str:
    """Normalize to one line of valid Unicode with single spaces."""
    return LONE.sub("\ufffd", BLANK.sub(" ", text)).strip() if isinstance(text, str) else ""


def drop_noncharacters(text: str) -> str:
    """Drop the two characters of normalized text that XML does not allow."""
    return text.translate(NONCHARACTERS)


def display_width(text: str) -> int:
    """Width in columns of a fixed-width display; ideographs take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def find_breaks(text: str, room: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each unbreakable piece.

    A piece is a word, or a character of a word wider than ``room``.
    """
    for match in re.finditer("[^ ]+", text):
        if display_width(match[0]) <= room:
            yield match.span()
            continue
        for cluster in CLUSTER.finditer(text, *match.span()):
            yield from [cluster.span()] if display_width(cluster[0]) <= room else _characters(*cluster.span())


def _characters(start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((position, position + 1) for position in range(start, end))
