"""Segments and words, and their invariants in a result.

In a result they are ordered and finite, and words lie inside their segments.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypedDict


class Word(TypedDict):
    """A word of a segment.

    ``start`` and ``end`` are seconds from the start of the recording; ``probability`` is 0–1.
    """

    word: str
    start: float
    end: float
    probability: float
    speaker: str | None


class Segment(TypedDict):
    """An interval of speech and its text.

    Times are in seconds. ``seek`` is the 10 ms frame at which its decoding window starts.
    """

    id: int
    start: float
    end: float
    text: str
    speaker: str | None
    words: list[Word]
    seek: int
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


def sort_and_clamp(segments: list[Segment], audio_seconds: float) -> list[Segment]:
    """Number the segments by start, and clamp all times.

    Afterwards words lie in order inside their segments, and segments inside the audio.
    """
    ordered = sorted(segments, key=lambda segment: segment["start"])
    for number, segment in enumerate(ordered):
        segment["id"] = number
        clamp(segment, audio_seconds)
    return ordered


def clamp(segment: Segment, audio_seconds: float) -> None:
    """Clamp the times of a segment and its words."""
    segment["start"] = _clamp(segment["start"], 0.0, audio_seconds)
    segment["end"] = _clamp(segment["end"], segment["start"], audio_seconds)
    earliest = segment["start"]
    for word in segment["words"]:
        word["start"] = earliest = _clamp(word["start"], earliest, segment["end"])
        word["end"] = _clamp(word["end"], earliest, segment["end"])
        word["probability"] = _clamp(word["probability"], 0.0, 1.0)


def to_json(value: Any) -> str:
    """Convert ``value`` to JSON text.

    Raises ValueError for NaN and Infinity, which JSON does not have.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def finite_or(value: float, otherwise: float = 0.0) -> float:
    """Return ``value`` if it is finite, else ``otherwise``."""
    return float(value) if math.isfinite(value) else otherwise


def _clamp(value: float, least: float, most: float) -> float:
    return round(min(max(finite_or(value, least), least), most), 3)
