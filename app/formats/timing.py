"""Which moment belongs to which place in a segment's text: known at the words that have times, straight lines between them."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from app.formats.text import plain

SEARCHED = 40


@dataclass(frozen=True)
class Spoken:
    """A word where it stands in the text: ``text[start:end]``; times in seconds, None where it has none."""

    start: int
    end: int
    begins: float | None
    ends: float | None
    speaker: str | None


def located(text: str, words: list[dict[str, Any]]) -> list[Spoken]:
    """The words in the text, in order; one that is not found there is left out."""
    found: list[Spoken] = []
    position = 0
    for word in words:
        form = plain(word.get("word"))
        place = text.find(form, position, position + len(form) + SEARCHED) if form else -1
        if place >= 0:
            position = place + len(form)
            begins, ends = _moment(word.get("start")), _moment(word.get("end"))
            speaker = plain(word.get("speaker")) or None
            found.append(Spoken(place, position, begins, ends, speaker))
    return found


class Clock:
    """The moments of a text's places. ``words`` whose times contradict their neighbours' count as words without."""

    def __init__(self, length: int, start: float, end: float, words: list[Spoken]) -> None:
        self._places, self._moments = [0], [start]
        self.known: set[int] = set()
        timed = [word for word in words if word.begins is not None and word.ends is not None]
        for word, following in zip(timed, [*timed[1:], None], strict=False):
            assert word.begins is not None and word.ends is not None
            if following is not None and following.ends is not None and word.ends >= following.ends:
                continue  # as whoever could not time a word lets it last until the segment ends
            if word.begins > start or word.start == 0:  # else nothing could be said of the text before it
                self.known.add(word.start)
                self._note(word.start, word.begins, end)
            if word.ends < end or word.end == length:
                self._note(word.end, word.ends, end)
        self._note(length, end, end)

    def begin(self, place: int) -> float:
        """When what begins at ``place`` is begun."""
        return self._at(place, bisect_right(self._places, place) - 1)

    def end(self, place: int) -> float:
        """When what ends before ``place`` has ended."""
        return self._at(place, bisect_left(self._places, place))

    def _note(self, place: int, moment: float, latest: float) -> None:
        self._places.append(place)
        self._moments.append(min(max(moment, self._moments[-1]), max(latest, self._moments[0])))

    def _at(self, place: int, index: int) -> float:
        if self._places[index] == place:
            return self._moments[index]
        after = bisect_right(self._places, place)
        (left, right), (early, late) = self._places[after - 1 : after + 1], self._moments[after - 1 : after + 1]
        return early + (late - early) * (place - left) / (right - left)


def _moment(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else None
