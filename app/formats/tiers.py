"""Lay utterances and words out as tiers: one for each speaker, without overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.formats.source import Source
from app.formats.spacing import is_unspaced
from app.formats.turns import iter_items, to_milliseconds
from app.formats.utterances import clip, iter_utterances

SPEECH = "speech"  # the tier of a recording whose speakers are not known


class Interval(NamedTuple):
    """A text from ``start`` to ``end`` (milliseconds, start < end); of an utterance, also its words."""

    start: int
    end: int
    text: str
    words: Sequence[Interval] = ()


@dataclass
class Tier:
    """What one speaker says; ``speaker`` is None if the speakers are not known."""

    name: str
    speaker: str | None
    utterances: list[Interval] = field(default_factory=list)


@dataclass(frozen=True)
class Tiers:
    """The tiers in the order of first speech, at least one; ``length`` of the recording is in milliseconds."""

    tiers: list[Tier]
    length: int

    def name_word_tiers(self) -> list[str]:
        """Name the tier of the words of each speaker; no two tiers have the same name."""
        taken = {tier.name for tier in self.tiers}
        names = []
        for tier in self.tiers:
            number, name = 1, f"{tier.name} - words"
            while name in taken:
                number += 1
                name = f"{tier.name} - words {number}"
            taken.add(name)
            names.append(name)
        return names


def gather_tiers(source: Source, words: bool) -> Tiers:
    """Collect the utterances of each speaker, on request with their words."""
    tiers: dict[str, Tier] = {}
    for each in iter_utterances(source, words):
        name = each.speaker or SPEECH
        said = [Interval(piece.start, piece.end, piece.text) for piece in each.pieces] if words else []
        tier = tiers.setdefault(name, Tier(name, each.speaker))
        tier.utterances.append(Interval(each.start, each.end, each.text, said))
    return _lay_out_all(list(tiers.values()), source)


def gather_speech(source: Source) -> Tiers:
    """Collect the stretches of a task that only looks for speech."""
    spans = ((to_milliseconds(span["start"]), to_milliseconds(span["end"])) for span in iter_items(source.result))
    return _lay_out_all([Tier(SPEECH, None, [Interval(*span, SPEECH) for span in spans])], source)


def _lay_out_all(tiers: list[Tier], source: Source) -> Tiers:
    ends = [each.end for tier in tiers for each in tier.utterances]
    length = source.measure_length() or max([1, *ends])
    for tier in tiers:
        tier.utterances = [
            each._replace(words=lay_out(each.words, each.start, each.end))
            for each in lay_out(tier.utterances, 0, length)
        ]
    tiers.sort(key=lambda tier: tier.utterances[0].start if tier.utterances else 0)
    return Tiers(tiers or [Tier(SPEECH, None)], length)


def lay_out(intervals: Iterable[Interval], first: int, last: int) -> list[Interval]:
    """Put intervals between ``first`` and ``last``, in order.

    Each ends where the next one begins, at the latest. Those that begin together become one, with all their texts.
    """
    laid: list[Interval] = []
    inside = (Interval(*clip(each.start, each.end, first, last), each.text, each.words) for each in intervals)
    for each in sorted(inside, key=lambda interval: interval.start):
        if laid and laid[-1].start == each.start:
            laid[-1] = _join(laid[-1], each)
            continue
        if laid and laid[-1].end > each.start:
            laid[-1] = laid[-1]._replace(end=each.start)
        laid.append(each)
    return laid


def _join(first: Interval, second: Interval) -> Interval:
    space = "" if is_unspaced(first.text[-1], second.text[0]) else " "
    text = f"{first.text}{space}{second.text}"
    return Interval(first.start, max(first.end, second.end), text, [*first.words, *second.words])


def fill_gaps(intervals: list[Interval], length: int) -> Iterator[tuple[int, int, str]]:
    """Yield the intervals of a tier, and empty ones between them, from 0 to ``length``."""
    position = 0
    for start, end, text, _ in intervals:
        if start > position:
            yield position, start, ""
        yield start, end, text
        position = end
    if position < length:
        yield position, length, ""
