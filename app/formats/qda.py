"""Text with time stamps for MAXQDA, ATLAS.ti and f4analyse: one paragraph a turn."""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.paragraphs import iter_paragraphs
from app.formats.source import Source
from app.formats.srt import speaker_prefix
from app.formats.turns import join_pieces


def write(source: Source) -> Iterator[str]:
    """Write a transcript, with an empty line between paragraphs."""
    for number, each in enumerate(iter_paragraphs(source)):
        space = "\n" if number else ""
        yield f"{space}{each.before}{speaker_prefix(each.speaker)}{join_pieces(each.pieces)}{each.after}\n"
