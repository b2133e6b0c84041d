"""TextGrid of Praat and the Montreal Forced Aligner, in the long text format.

Each speaker has a tier of utterances and one of words. Praat accepts gaps and overlaps silently, and loses what follows an
interval of zero length: here, intervals cover each tier from 0 to the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.seconds import format_short
from app.formats.source import Source
from app.formats.tiers import Interval, Tiers, fill_gaps, gather_speech, gather_tiers


def write(source: Source) -> Iterator[str]:
    """Write a transcript."""
    words = source.choices.words is not False
    return _write_tiers(gather_tiers(source, words), words)


def write_speech(source: Source) -> Iterator[str]:
    """Write speech segments, which have no text."""
    return _write_tiers(gather_speech(source), words=False)


def _write_tiers(found: Tiers, words: bool) -> Iterator[str]:
    rows: list[tuple[str, list[Interval]]] = []
    for tier, name in zip(found.tiers, found.name_word_tiers(), strict=True):
        rows.append((tier.name, tier.utterances))
        if words:
            rows.append((name, [word for each in tier.utterances for word in each.words]))
    xmax = format_short(found.length)
    # Praat itself writes a space at the end of most lines.
    yield 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    yield f"xmin = 0 \nxmax = {xmax} \ntiers? <exists> \nsize = {len(rows)} \nitem []: \n"
    for number, (name, intervals) in enumerate(rows, 1):
        filled = list(fill_gaps(intervals, found.length))
        yield f'    item [{number}]:\n        class = "IntervalTier" \n        name = "{quote(name)}" \n'
        yield f"        xmin = 0 \n        xmax = {xmax} \n        intervals: size = {len(filled)} \n"
        for index, (start, end, text) in enumerate(filled, 1):
            yield (
                f"        intervals [{index}]:\n            xmin = {format_short(start)} \n"
                f'            xmax = {format_short(end)} \n            text = "{quote(text)}" \n'
            )


def quote(text: str) -> str:
    """Double the quotation marks."""
    return text.replace('"', '""')
