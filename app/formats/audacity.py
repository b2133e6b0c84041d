"""Label track of Audacity: start, end and label, separated by tabs."""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.seconds import format_long
from app.formats.source import Source
from app.formats.tiers import SPEECH
from app.formats.turns import iter_items, to_milliseconds
from app.formats.utterances import clip, iter_utterances


def write(source: Source) -> Iterator[str]:
    """Write the utterances of a transcript, or on request its words, without speakers."""
    words = source.choices.words is True
    last = source.measure_length()
    for each in iter_utterances(source, words):
        if words:
            for piece in each.pieces:
                yield _write_label(*clip(piece.start, piece.end, 0, last), piece.text)
        else:
            yield _write_label(each.start, each.end, f"{each.speaker}: {each.text}" if each.speaker else each.text)


def write_speech(source: Source) -> Iterator[str]:
    """Write speech segments, which have no text."""
    last = source.measure_length()
    for span in iter_items(source.result):
        times = clip(to_milliseconds(span["start"]), to_milliseconds(span["end"]), 0, last)
        yield _write_label(*times, SPEECH)


def _write_label(start: int, end: int, text: str) -> str:
    return f"{format_long(start)}000\t{format_long(end)}000\t{text}\n"
