"""Text as a display takes it: one line, measured in columns, divided where a line may end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import regex

# Every kind of white space but the two that forbid a break; control characters are no text either.
BLANK = re.compile(r"[^\S\u00a0\u202f]+|[\x00-\x1f\x7f-\x9f]+")
LONE = re.compile("[\ud800-\udfff]")
# What is divided inside a word keeps its accents and joiners, does not begin with a closing mark nor end with an opening one
# (the strongest of the rules in Unicode's annex 14).
CLUSTER = regex.compile(r"[\p{Ps}\p{Pi}]{0,3}\X[\p{Pe}\p{Pf}\p{Po}ーぁぃぅぇぉっゃゅょァィゥェォッャュョ]{0,3}")


def plain(text: Any) -> str:
    """One line of valid Unicode, single spaces between words."""
    return LONE.sub("\ufffd", BLANK.sub(" ", text)).strip() if isinstance(text, str) else ""


def columns(text: str) -> int:
    """How many columns of a fixed-width display it takes; ideographs take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def spans(text: str, room: int) -> Iterator[tuple[int, int]]:
    """Where the pieces of ``text`` stand that a line may not divide: words, or characters of what is wider than ``room``."""
    for match in re.finditer("[^ ]+", text):
        if columns(match[0]) <= room:
            yield match.span()
            continue
        for cluster in CLUSTER.finditer(text, *match.span()):
            yield from [cluster.span()] if columns(cluster[0]) <= room else _each(*cluster.span())


def _each(start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((position, position + 1) for position in range(start, end))
