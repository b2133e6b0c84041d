"""The words of a transcript, as AssemblyAI's clients need them.

Every word has times, in whole milliseconds, and a confidence. Speakers are A, B, … in the order in which they speak.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.formats.letters import SpeakerLetters
from app.formats.spacing import is_unspaced
from app.formats.text import normalize
from app.formats.turns import iter_items, to_milliseconds

SEARCHED = 40  # characters after the last word in which the next one is expected


@dataclass(frozen=True)
class Word:
    """One word; ``start`` and ``end`` are milliseconds. ``spaced``: a space stands before it."""

    text: str
    start: int
    end: int
    confidence: float
    speaker: str | None
    spaced: bool

    def to_json(self) -> dict[str, Any]:
        known = {"text": self.text, "start": self.start, "end": self.end, "confidence": self.confidence}
        return known | ({"speaker": self.speaker} if self.speaker is not None else {})


def list_words(result: str) -> list[Word]:
    """List the words of a stored result, in order."""
    letters = SpeakerLetters()
    words: list[Word] = []
    for segment in iter_items(result):
        for number, word in enumerate(_read_segment(segment)):
            before = words[-1] if words else None
            # Between two segments there is a space, except in scripts without.
            spaced = word.spaced if number else before is not None and not is_unspaced(before.text[-1], word.text[0])
            # A word without a speaker keeps the previous one.
            speaker = letters.choose(word.speaker) or (before.speaker if before else None)
            words.append(replace(word, speaker=speaker, spaced=spaced))
    return words


def join_words(words: Sequence[Word]) -> str:
    """Join words to a text."""
    return "".join(" " * (word.spaced and number > 0) + word.text for number, word in enumerate(words))


def rate(words: Sequence[Word]) -> float:
    """Return the mean confidence; 0 without words."""
    return round(sum(word.confidence for word in words) / len(words), 4) if words else 0.0


def describe_span(words: Sequence[Word], with_words: bool = True) -> dict[str, Any]:
    """Describe consecutive words as one utterance, sentence or paragraph."""
    span: dict[str, Any] = {
        "text": join_words(words),
        "start": words[0].start,
        "end": max(words[-1].end, words[0].start),
        "confidence": rate(words),
    }
    if with_words:
        span["words"] = [word.to_json() for word in words]
    return span | ({"speaker": words[0].speaker} if words[0].speaker is not None else {})


def split(words: Iterable[Word], ends: Any) -> list[list[Word]]:
    """Split words wherever ``ends(before, after)``: the words so far, and the next one."""
    parts: list[list[Word]] = []
    for word in words:
        if parts and not ends(parts[-1], word):
            parts[-1].append(word)
        else:
            parts.append([word])
    return parts


def _read_segment(segment: dict[str, Any]) -> Iterator[Word]:
    """Yield the words of a segment. Words without times share the time between their neighbours."""
    text = normalize(segment.get("text"))
    said = [(normalize(word.get("word")), word) for word in segment.get("words") or []]
    said = [(form, word) for form, word in said if form] or [(form, {}) for form in text.split()]
    likely = math.exp(min(0.0, _read_number(segment.get("avg_logprob"), -1.0)))
    spans = _fill_times([word for _, word in said], segment)
    position = 0
    for (form, word), (start, end) in zip(said, spans, strict=True):
        place = text.find(form, position, position + len(form) + SEARCHED)
        spaced = place <= 0 or text[place - 1] == " "
        position = place + len(form) if place >= 0 else position
        confidence = round(min(1.0, max(0.0, _read_number(word.get("probability"), likely))), 4)
        speaker = normalize(word.get("speaker")) or normalize(segment.get("speaker")) or None
        yield Word(form, start, end, confidence, speaker, spaced)


def _fill_times(words: list[dict[str, Any]], segment: dict[str, Any]) -> list[tuple[int, int]]:
    """Return start and end of each word, in milliseconds: never decreasing, and inside the segment."""
    first, last = to_milliseconds(segment["start"]), to_milliseconds(segment["end"])
    spans: list[tuple[int, int]] = []
    at, waiting = first, 0  # the end of the last known word, and the number of words after it without times
    for word in [*words, {"start": segment["end"], "end": segment["end"]}]:
        start, end = _read_number(word.get("start"), math.nan), _read_number(word.get("end"), math.nan)
        if math.isnan(start) or math.isnan(end):
            waiting += 1
            continue
        begin = max(at, min(to_milliseconds(start), last))
        bounds = [at + (begin - at) * number // max(1, waiting) for number in range(waiting + 1)]
        spans += zip(bounds[:-1], bounds[1:], strict=True)
        at, waiting = max(begin, min(to_milliseconds(end), last)), 0
        spans.append((begin, at))
    return spans[:-1]


def _read_number(value: Any, otherwise: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else otherwise
