"""Divide a text into the parts that are compared and timed: words, or characters of scripts without spaces."""

from __future__ import annotations

import re
from typing import NamedTuple

import regex

from app.formats.spacing import is_unspaced

NO_LETTERS = regex.compile(r"[\p{P}\p{S}\s]+")


class Token(NamedTuple):
    """The part ``text[start:end]`` of a text.

    Tokens with the same ``key`` are the same word, apart from case and punctuation.
    """

    start: int
    end: int
    key: str

    @property
    def letters(self) -> int:
        """How much of the time of several tokens is its share."""
        return max(1, len(self.key))


def split_tokens(text: str) -> list[Token]:
    """Divide a text; no token has white space."""
    tokens: list[Token] = []
    for word in re.finditer(r"\S+", text):
        bounds = [word.start()]
        for cluster in regex.finditer(r"\X", text, pos=word.start(), endpos=word.end()):
            if is_unspaced(cluster[0][0]):
                bounds += [cluster.start(), cluster.end()]
        bounds = sorted({*bounds, word.end()})
        tokens += [_make_token(text, start, end) for start, end in zip(bounds, bounds[1:], strict=False)]
    return tokens


def _make_token(text: str, start: int, end: int) -> Token:
    said = text[start:end].casefold()
    return Token(start, end, NO_LETTERS.sub("", said) or said)
