"""Plain text: one line per speaker turn of each segment, or a language."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from app.formats.cues import Lead
from app.formats.srt import speaker_prefix
from app.formats.turns import iter_items, join_pieces, split_turns


def write(result: str, lead: Lead = speaker_prefix) -> Iterator[str]:
    """Write a transcript; ``lead`` returns the prefix of a speaker's line."""
    return write_segments(iter_items(result), lead)


def write_segments(segments: Iterable[dict[str, Any]], lead: Lead = speaker_prefix) -> Iterator[str]:
    """Write decoded segments."""
    for segment in segments:
        for turn in split_turns(segment, sys.maxsize):
            yield f"{lead(turn[0].speaker)}{join_pieces(turn)}\n"


def write_language(result: str) -> Iterator[str]:
    """Write the code and the name of a detected language, such as ``de german``."""
    found = json.loads(result)
    yield f"{found['language_code']} {found['language']}\n"
