"""Speakers as letters: A for the first who speaks, Z, AA, AB."""

from __future__ import annotations

import string


class SpeakerLetters:
    """The letters of one transcript."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def choose(self, speaker: str | None) -> str | None:
        """Return the letter of a speaker; None for none."""
        return None if speaker is None else self._known.setdefault(speaker, write_letters(len(self._known)))


def write_letters(number: int) -> str:
    """Return A for 0, Z for 25, AA for 26."""
    letters = ""
    while number >= 0:
        letters = string.ascii_uppercase[number % 26] + letters
        number = number // 26 - 1
    return letters
