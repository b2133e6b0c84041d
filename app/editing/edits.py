"""Apply edits to the segments of a transcript.

A segment is named by its ``id``. Ids never change: those of removed segments are not given to others.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.editing.retiming import SURE, retime_words
from app.formats.text import normalize

Segment = dict[str, Any]
# a segment id, the segment before and after; None for a segment that is not there
Change = tuple[int, Segment | None, Segment | None]


class EditError(ValueError):
    """An edit that cannot be made. ``place`` names it, such as ``edits.0.words``."""

    def __init__(self, place: str, say: str) -> None:
        super().__init__(say)
        self.place = place


@dataclass(frozen=True)
class Edit:
    """A new text of one segment; ``words`` with times in seconds, or None to have the times found."""

    segment: int
    text: str
    words: Sequence[dict[str, Any]] | None = None


def make_changes(segments: Sequence[Segment], edits: Sequence[Edit], audio_seconds: float | None) -> list[Change]:
    """Return what ``edits`` change, by segment id; a segment that stays as it is, is left out.

    Raises EditError.
    """
    places = {segment["id"]: place for place, segment in enumerate(segments)}
    seen: set[int] = set()
    changes: list[Change] = []
    for number, edit in enumerate(edits):
        place = places.get(edit.segment)
        if place is None:
            raise EditError(f"edits.{number}.segment", "There is no segment with this id.")
        if edit.segment in seen:
            raise EditError(f"edits.{number}.segment", "Given more than once.")
        seen.add(edit.segment)
        before = segments[place]
        after = _edit(segments, place, edit, number, audio_seconds)
        if after != before:
            changes.append((edit.segment, before, after))
    return sorted(changes, key=lambda change: change[0])


def apply_changes(segments: Sequence[Segment], changes: Sequence[Change]) -> list[Segment]:
    """Return the segments after ``changes``, ordered by id."""
    made = list(segments)
    for identifier, before, after in changes:
        place = bisect_left(made, identifier, key=lambda segment: int(segment["id"]))
        made[place : place + (before is not None)] = [] if after is None else [after]
    return made


def invert(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that undo ``changes``."""
    return [(identifier, after, before) for identifier, before, after in changes]


def write_json(value: Any) -> str:
    """Write JSON as the workers write results."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _edit(
    segments: Sequence[Segment], place: int, edit: Edit, number: int, audio_seconds: float | None
) -> Segment | None:
    before, text = segments[place], normalize(edit.text)
    if not text:
        if edit.words:
            raise EditError(f"edits.{number}.words", "A segment without text has no words.")
        return None
    changed: Segment = {}
    if text != normalize(before["text"]):
        changed = {"text": text, "tokens": []}  # the tokens are those of the old text
    if edit.words is not None:
        least, most = _find_bounds(segments, place, audio_seconds)
        words = _check_words(edit, text, f"edits.{number}.words", least, most)
        if words:  # the segment grows with its words, and never shrinks
            start, end = words[0]["start"], max(word["end"] for word in words)
            changed |= {"start": min(before["start"], start), "end": max(before["end"], end)}
        words = [{**word, "speaker": before.get("speaker")} for word in words]
        return {**before, **changed, "words": words}
    if not changed:
        return before
    old = {**before, "text": normalize(before["text"]), "words": before.get("words") or []}
    return {**before, **changed, "words": retime_words(old, text)}


def _find_bounds(segments: Sequence[Segment], place: int, audio_seconds: float | None) -> tuple[float, float]:
    """Return the times (seconds) between which the words of a segment may be: up to its neighbours."""
    segment = segments[place]
    before = segments[place - 1]["end"] if place else 0.0
    after = segments[place + 1]["start"] if place + 1 < len(segments) else audio_seconds or segment["end"]
    return min(segment["start"], before), max(segment["end"], after)


def _check_words(edit: Edit, text: str, place: str, least: float, most: float) -> list[dict[str, Any]]:
    words: list[dict[str, Any]] = []
    position, earliest = 0, least
    for given in edit.words or ():
        said = normalize(given["word"])
        found = text.find(said, position) if said else -1
        if found < 0:
            raise EditError(place, f"The word {said!r:.60} is not in the text, or not in this order.")
        start, end = round(given["start"], 3), round(given["end"], 3)
        if not earliest <= start <= end <= most:
            say = f"Times must rise and lie between {least:g} and {most:g} s; those of {said!r:.60} do not."
            raise EditError(place, say)
        position, earliest = found + len(said), start
        words.append({"word": said, "start": start, "end": end, "probability": given.get("probability", SURE)})
    return words
