"""Subtitles: at most two lines of 42 columns on the screen at once, of one speaker, divided where reading is easiest."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

from app.formats.turns import Piece, milliseconds, turns

LINES, COLUMNS = 2, 42
PAUSE_MILLISECONDS = 2000
# How gladly a line or cue ends after such a character; 1 is worth as much as a cue that is filled to its last column.
ENDINGS = dict.fromkeys(".!?…。！？", 0.0) | dict.fromkeys(",;:–—、，；：", 0.15)
ANYWHERE = 0.3

Lead = Callable[[str | None], str]


class Cue(NamedTuple):
    """What is on the screen from ``start`` to ``end`` (milliseconds, start < end)."""

    start: int
    end: int
    speaker: str | None
    lines: list[list[Piece]]


def no_lead(speaker: str | None) -> str:
    return ""


def cues(segments: Iterable[dict[str, Any]], lead: Lead = no_lead) -> Iterator[Cue]:
    """The cues of a transcript, ordered by start. ``lead`` is what a format writes before a speaker's first line."""
    order = count()
    pending: list[tuple[int, int, Cue]] = []  # later than what the next segment, which may overlap, can begin with
    for segment in segments:
        while pending and pending[0][0] <= milliseconds(segment["start"]):
            yield heapq.heappop(pending)[2]
        for cue in _of_segment(segment, lead):
            heapq.heappush(pending, (cue.start, next(order), cue))
    while pending:
        yield heapq.heappop(pending)[2]


def _of_segment(segment: dict[str, Any], lead: Lead) -> Iterator[Cue]:
    speakers = {said.get("speaker") for said in (segment, *(segment.get("words") or ()))}
    widest = max(len(lead(speaker)) for speaker in speakers)
    for turn in turns(segment, COLUMNS - min(widest, COLUMNS // 2)):
        speaker = turn[0].speaker
        taken = len(lead(speaker))
        for breath in _breaths(turn):
            for pieces in divided(breath, taken):
                start = pieces[0].start
                yield Cue(start, max(pieces[-1].end, start + 1), speaker, wrapped(pieces, taken))


def _breaths(turn: list[Piece]) -> Iterator[list[Piece]]:
    """Divide where nobody speaks for so long that words should not be on the screen yet."""
    start = 0
    for number in range(1, len(turn)):
        if turn[number].start - turn[number - 1].end > PAUSE_MILLISECONDS:
            yield turn[start:number]
            start = number
    yield turn[start:]


def divided(pieces: list[Piece], taken: int) -> list[list[Piece]]:
    """The pieces in as few cues as they fit in, those as even as can be, ending where sentences end if possible."""
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)] + [(len(pieces) + 1, 0.0, 0)] * len(pieces)
    for start in range(len(pieces)):
        for end, width in _fitting(pieces, start, taken):
            rest = 1 - width / (LINES * COLUMNS)
            cost = best[start][1] + rest * rest + (0.0 if end == len(pieces) else _ending(pieces[end - 1]))
            best[end] = min(best[end], (best[start][0] + 1, cost, start))
    bounds = [len(pieces)]
    while bounds[-1]:
        bounds.append(best[bounds[-1]][2])
    bounds.reverse()
    return [pieces[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _fitting(pieces: list[Piece], start: int, taken: int) -> Iterator[tuple[int, int]]:
    """Every end of a cue that begins with ``start``, and how wide it then is in all; the first one always fits."""
    lines, column, width = 1, taken, taken
    for number in range(start, len(pieces)):
        piece = pieces[number]
        space = piece.spaced and number > start
        width += space + piece.width
        if number > start and column + space + piece.width > COLUMNS:
            lines, column = lines + 1, piece.width
        else:
            column += space + piece.width
        if lines > LINES:
            return
        yield number + 1, width


def wrapped(pieces: list[Piece], taken: int) -> list[list[Piece]]:
    """The pieces of a cue in one line if they fit, else in two of about the same width."""
    ends: list[int] = []
    column = taken
    for number, piece in enumerate(pieces):
        column += (piece.spaced and number > 0) + piece.width
        ends.append(column)
    if column <= COLUMNS or len(pieces) == 1:
        return [pieces]

    def cost(number: int) -> float:
        first, second = ends[number - 1], ends[-1] - ends[number - 1] - pieces[number].spaced
        beyond = max(0, first - COLUMNS) + max(0, second - COLUMNS)
        return 1000 * beyond + abs(first - second) / COLUMNS + _ending(pieces[number - 1])

    middle = min(range(1, len(pieces)), key=cost)
    return [pieces[:middle], pieces[middle:]]


def _ending(piece: Piece) -> float:
    return ENDINGS.get(piece.text[-1], ANYWHERE)
