"""Divide a transcript into subtitle cues.

A cue has one speaker and at most two lines of 42 columns. It stays for seven seconds at most, and not across a pause.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

from app.formats.turns import Piece, split_turns, to_milliseconds

LINES, COLUMNS = 2, 42
PAUSE_MILLISECONDS = 1000
LONGEST_MILLISECONDS = 7000
STRETCHED_MILLISECONDS = 1000  # a piece that lasts longer includes a pause, or has no times of its own
# Cost of ending a line or cue after a character; an empty cue costs 1, a full one 0 (see ``divided``).
ENDINGS = dict.fromkeys(".!?…。！？", 0.0) | dict.fromkeys(",;:–—、，；：", 0.15)
ANYWHERE = 0.3

Lead = Callable[[str | None], str]


class Cue(NamedTuple):
    """The lines shown from ``start`` to ``end`` (milliseconds, start < end)."""

    start: int
    end: int
    speaker: str | None
    lines: list[list[Piece]]


def no_lead(speaker: str | None) -> str:
    """Prefix no speaker names."""
    return ""


def make_cues(segments: Iterable[dict[str, Any]], lead: Lead = no_lead) -> Iterator[Cue]:
    """Yield the cues of a transcript, ordered by start.

    ``lead`` returns the prefix of a speaker's first line.
    """
    order = count()
    pending: list[tuple[int, int, Cue]] = []  # a heap: segments may overlap, so a later one may start before these
    for segment in segments:
        while pending and pending[0][0] <= to_milliseconds(segment["start"]):
            yield heapq.heappop(pending)[2]
        for cue in _segment_cues(segment, lead):
            heapq.heappush(pending, (cue.start, next(order), cue))
    while pending:
        yield heapq.heappop(pending)[2]


def _segment_cues(segment: dict[str, Any], lead: Lead) -> Iterator[Cue]:
    speakers = {said.get("speaker") for said in (segment, *(segment.get("words") or ()))}
    widest = max(len(lead(speaker)) for speaker in speakers)
    for turn in split_turns(segment, COLUMNS - min(widest, COLUMNS // 2)):
        speaker = turn[0].speaker
        taken = len(lead(speaker))
        for part in _split_at_pauses(turn):
            for pieces in split_into_cues(part, taken):
                start = pieces[0].start
                end = min(max(pieces[-1].end, start + 1), start + LONGEST_MILLISECONDS)
                yield Cue(start, end, speaker, wrap_lines(pieces, taken))


def _split_at_pauses(turn: list[Piece]) -> Iterator[list[Piece]]:
    """Split a turn at long pauses.

    Otherwise, words would be shown long before they are spoken.
    """
    start = 0
    for number in range(1, len(turn)):
        if turn[number].start - turn[number - 1].end > PAUSE_MILLISECONDS:
            yield turn[start:number]
            start = number
    yield turn[start:]


def split_into_cues(pieces: list[Piece], taken: int) -> list[list[Piece]]:
    """Split pieces into as few cues as possible.

    Among equal numbers of cues, evenly filled ones that end with sentences are best. Dynamic programming over (cues,
    cost): ``best[end]`` is the best split of ``pieces[:end]`` and the start of its last cue.
    """
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)] + [(len(pieces) + 1, 0.0, 0)] * len(pieces)
    for start in range(len(pieces)):
        for end, width in _possible_ends(pieces, start, taken):
            rest = 1 - width / (LINES * COLUMNS)
            cost = best[start][1] + rest * rest + (0.0 if end == len(pieces) else _ending_cost(pieces[end - 1]))
            best[end] = min(best[end], (best[start][0] + 1, cost, start))
    bounds = [len(pieces)]
    while bounds[-1]:
        bounds.append(best[bounds[-1]][2])
    bounds.reverse()
    return [pieces[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _possible_ends(pieces: list[Piece], start: int, taken: int) -> Iterator[tuple[int, int]]:
    """Yield (end, total width) of each cue that can begin at ``start``.

    The first piece always fits.
    """
    lines, column, width = 1, taken, taken
    for number in range(start, len(pieces)):
        piece = pieces[number]
        space = piece.spaced and number > start
        width += space + piece.width
        if number > start and column + space + piece.width > COLUMNS:
            lines, column = lines + 1, piece.width
        else:
            column += space + piece.width
        over = min(piece.end, piece.start + STRETCHED_MILLISECONDS)
        if lines > LINES or (number > start and over - pieces[start].start > LONGEST_MILLISECONDS):
            return
        yield number + 1, width


def wrap_lines(pieces: list[Piece], taken: int) -> list[list[Piece]]:
    """Wrap the pieces of a cue into one line or two."""
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
        # too wide a line is worse than any uneven break
        return 1000 * beyond + abs(first - second) / COLUMNS + _ending_cost(pieces[number - 1])

    middle = min(range(1, len(pieces)), key=cost)
    return [pieces[:middle], pieces[middle:]]


def _ending_cost(piece: Piece) -> float:
    return ENDINGS.get(piece.text[-1], ANYWHERE)
