"""Put a transcript together: the text of all segments, and letters for the speakers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from app.formats.letters import SpeakerLetters
from app.formats.spacing import is_unspaced

Segments = list[dict[str, Any]]


def space_texts(texts: Iterable[str]) -> list[str]:
    """Put a space before each text, as Whisper does, where the script has spaces.

    Joined, and without the first space, they are the whole text.
    """
    spaced: list[str] = []
    before = ""
    for text in texts:
        text = text.strip()
        unspaced = bool(text) and is_unspaced(before or text[0], text[0])
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
        if left <= 0 and (character.isspace() or is_unspaced(character)):
            return text[place:]
        left -= not character.isspace()
    return ""


def read_segments(result: str) -> Segments:
    """Read a stored result, with the speakers named A, B, … in the order in which they speak."""
    segments: Segments = json.loads(result)
    letters = SpeakerLetters()
    for segment in segments:
        for said in (segment, *segment["words"]):
            said["speaker"] = letters.choose(said["speaker"])
    return segments
