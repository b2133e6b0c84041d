"""CTM of NIST: words with their times and probabilities, for sclite. It knows no speakers."""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.fields import write_field, write_file_field
from app.formats.seconds import format_long
from app.formats.source import Source
from app.formats.utterances import clip, iter_utterances


def write(source: Source) -> Iterator[str]:
    """Write the words of a transcript by onset, as sclite wants them."""
    last = source.measure_length()
    words = [
        (*clip(piece.start, piece.end, 0, last), piece.text, piece.probability)
        for each in iter_utterances(source, by_word=True)
        for piece in each.pieces
    ]
    words.sort(key=lambda word: word[0])
    file = write_file_field(source.stem)
    for start, end, text, probability in words:
        sure = "" if probability is None else f" {probability:.3f}"
        yield f"{file} 1 {format_long(start)} {format_long(end - start)} {write_field(text)}{sure}\n"
