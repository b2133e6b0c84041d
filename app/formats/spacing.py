"""Where a script has spaces between words."""

from __future__ import annotations

import regex

# Scripts that are written without them.
UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
    r"\u3000-\u303f\uff00-\uff60]"
)


def is_unspaced(*characters: str) -> bool:
    """Whether no space belongs between these characters."""
    return all(UNSPACED.fullmatch(character) for character in characters)
