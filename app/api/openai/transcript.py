"""Put a transcript together: the text of all segments, and letters for the speakers."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable
from typing import Any

import regex

# Scripts that are written without spaces between words.
UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
    r"\u3000-\u303f\uff00-\uff60]"
)

Segments = list[dict[str, Any]]


def space_texts(texts: Iterable[str]) -> list[str]:
    """Put a space before each text, as Whisper does, where the script has spaces.

    Joined, and without the first space, they are the whole text.
    """
    spaced: list[str] = []
    before = ""
    for text in texts:
        text = text.strip()
        unspaced = bool(text) and all(UNSPACED.fullmatch(each) for each in (before or text[0], text[0]))
        spaced.append(text if unspaced or not text else f" {text}")
        before = text[-1:] or before
    return spaced


def join_texts(texts: Iterable[str]) -> str:
    return "".join(space_texts(texts)).strip()


def skip_text(text: str, seen: str) -> str:
    """Return what is left of ``text`` for a client that has ``seen`` its beginning.

    If the texts differ, as many characters are skipped as were seen, up to the end of a word.
    """
    if text.startswith(seen):
        return text[len(seen) :]
    left = sum(not character.isspace() for character in seen)
    for place, character in enumerate(text):
        if left <= 0 and (character.isspace() or UNSPACED.fullmatch(character)):
            return text[place:]
        left -= not character.isspace()
    return ""


def read_segments(result: str) -> Segments:
    """Read a stored result, with the speakers named A, B, … in the order in which they speak."""
    segments: Segments = json.loads(result)
    letters: dict[str, str] = {}
    for segment in segments:
        for said in (segment, *segment["words"]):
            if said["speaker"] is not None:
                said["speaker"] = letters.setdefault(said["speaker"], name_speaker(len(letters)))
    return segments


def name_speaker(number: int) -> str:
    """Return A for 0, Z for 25, AA for 26."""
    name = ""
    while number >= 0:
        name = string.ascii_uppercase[number % 26] + name
        number = number // 26 - 1
    return name
