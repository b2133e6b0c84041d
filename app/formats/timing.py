"""Map positions in a segment's text to times.

Times are exact at words that have them, and interpolated between those.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from app.formats.text import normalize

SEARCHED = 40  # characters after the last word in which the next one is expected


@dataclass(frozen=True)
class TimedWord:
    """A word at ``text[start:end]``.

    Its times are in seconds, or None.
    """

    start: int
    end: int
    begins: float | None
    ends: float | None
    speaker: str | None
    probability: float | None = None


def locate_words(text: str, words: list[dict[str, Any]]) -> list[TimedWord]:
    """Find the words in the text, in order.

    Words that are not found are left out.
    """
    found: list[TimedWord] = []
    position = 0
    for word in words:
        form = normalize(word.get("word"))
        place = text.find(form, position, position + len(form) + SEARCHED) if form else -1
        if place >= 0:
            position = place + len(form)
            begins, ends = _finite(word.get("start")), _finite(word.get("end"))
            speaker = normalize(word.get("speaker")) or None
            found.append(TimedWord(place, position, begins, ends, speaker, _finite(word.get("probability"))))
    return found


class Clock:
    """Times of the positions in a text.

    Word times that contradict the next word's are ignored.
    """

    def __init__(self, length: int, start: float, end: float, words: list[TimedWord]) -> None:
        self._places, self._moments = [0], [start]
        self.known: set[int] = set()
        timed = [word for word in words if word.begins is not None and word.ends is not None]
        for word, following in zip(timed, [*timed[1:], None], strict=False):
            assert word.begins is not None and word.ends is not None
            if following is not None and following.ends is not None and word.ends >= following.ends:
                continue  # an aligner that cannot time a word may let it last until the end of the segment
            if word.begins > start or word.start == 0:  # else the text before it would take no time
                self.known.add(word.start)
                self._add_point(word.start, word.begins, end)
            if word.ends < end or word.end == length:
                self._add_point(word.end, word.ends, end)
        self._add_point(length, end, end)

    def begin(self, place: int) -> float:
        """Time in seconds at which the text starting at ``place`` begins."""
        return self._time_at(place, bisect_right(self._places, place) - 1)

    def end(self, place: int) -> float:
        """Time in seconds at which the text ending at ``place`` ends."""
        return self._time_at(place, bisect_left(self._places, place))

    def _add_point(self, place: int, moment: float, latest: float) -> None:
        self._places.append(place)
        # clamped: times never decrease, and stay inside the segment
        self._moments.append(min(max(moment, self._moments[-1]), max(latest, self._moments[0])))

    def _time_at(self, place: int, index: int) -> float:
        if self._places[index] == place:
            return self._moments[index]
        after = bisect_right(self._places, place)
        (left, right), (early, late) = self._places[after - 1 : after + 1], self._moments[after - 1 : after + 1]
        return early + (late - early) * (place - left) / (right - left)


def _finite(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else None
