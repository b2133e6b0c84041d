"""Table for NVivo, one utterance a row: Timespan, Speaker and Content, separated by tabs."""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.seconds import format_clock
from app.formats.source import Source
from app.formats.utterances import iter_utterances

TENTH = 100  # milliseconds


def write(source: Source) -> Iterator[str]:
    """Write a transcript; the starts never fall, and each row lasts at least a tenth of a second."""
    yield "Timespan\tSpeaker\tContent\n"
    latest = 0
    for each in iter_utterances(source):
        latest = max(latest, each.start // TENTH)
        end = max(each.end // TENTH, latest + 1)
        yield f"{_format_time(latest)}-{_format_time(end)}\t{each.speaker or ''}\t{each.text}\n"


def _format_time(tenths: int) -> str:
    return f"{format_clock(tenths * TENTH, hour_digits=1)}.{tenths % 10}"
