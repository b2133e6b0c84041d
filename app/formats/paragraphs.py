"""Join utterances to paragraphs, as programs for qualitative analysis want them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.formats.choices import F4
from app.formats.seconds import format_clock
from app.formats.source import Source
from app.formats.spacing import is_unspaced
from app.formats.turns import Piece
from app.formats.utterances import iter_utterances

LONGEST_MILLISECONDS = 30_000  # a paragraph takes no utterance that begins later than this after its own start


class Paragraph(NamedTuple):
    """What one speaker says without interruption; ``before`` and ``after`` are the time stamps around it."""

    before: str
    speaker: str | None
    pieces: list[Piece]
    after: str


class _Joined(NamedTuple):
    start: int
    end: int
    speaker: str | None
    pieces: list[Piece]


def iter_paragraphs(source: Source) -> Iterator[Paragraph]:
    """Yield the paragraphs of a transcript; their stamps never fall, as the programs want them."""
    latest = 0
    for each in _join_utterances(source):
        if source.choices.stamps == F4:
            latest = max(latest, each.end)
            tenth = latest % 1000 // 100
            yield Paragraph("", each.speaker, each.pieces, f" #{format_clock(latest)}-{tenth}#")
        else:
            latest = max(latest, each.start)
            yield Paragraph(f"[{format_clock(latest)}] ", each.speaker, each.pieces, "")


def _join_utterances(source: Source) -> Iterator[_Joined]:
    joined: _Joined | None = None
    for start, end, speaker, pieces in iter_utterances(source):
        if joined and joined.speaker == speaker and start - joined.start < LONGEST_MILLISECONDS:
            spaced = not is_unspaced(joined.pieces[-1].text[-1], pieces[0].text[0])
            both = [*joined.pieces, pieces[0]._replace(spaced=spaced), *pieces[1:]]
            joined = _Joined(joined.start, max(joined.end, end), speaker, both)
            continue
        if joined:
            yield joined
        joined = _Joined(start, end, speaker, pieces)
    if joined:
        yield joined
