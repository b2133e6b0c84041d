"""Subtitles without speakers, with captions of a length that the client chooses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.api.assemblyai.words import Word, join_words, list_words, split
from app.formats import srt, vtt
from app.formats.cues import LONGEST_MILLISECONDS, PAUSE_MILLISECONDS, make_cues
from app.formats.turns import iter_items, join_pieces

LEAST_CHARS, MOST_CHARS = 1, 1000


class Caption(NamedTuple):
    start: int
    end: int
    text: str


def write_srt(result: str, chars: int | None) -> Iterator[str]:
    for number, caption in enumerate(_list_captions(result, chars), 1):
        times = f"{srt.format_time(caption.start)} --> {srt.format_time(caption.end)}"
        yield f"{number}\n{times}\n{srt.escape(caption.text)}\n\n"


def write_vtt(result: str, chars: int | None) -> Iterator[str]:
    yield "WEBVTT\n\n"
    for caption in _list_captions(result, chars):
        times = f"{vtt.format_time(caption.start)} --> {vtt.format_time(caption.end)}"
        yield f"{times}\n{caption.text.translate(vtt.ESCAPES)}\n\n"


def _list_captions(result: str, chars: int | None) -> Iterator[Caption]:
    """Yield captions of at most ``chars`` characters in one line; None: as in the other formats, of two lines."""
    if chars is None:
        for cue in make_cues(iter_items(result)):
            yield Caption(cue.start, cue.end, "\n".join(join_pieces(pieces) for pieces in cue.lines))
        return

    def ends(before: list[Word], after: Word) -> bool:
        last = before[-1]
        paused = after.start - last.end > PAUSE_MILLISECONDS or after.end - before[0].start > LONGEST_MILLISECONDS
        return paused or last.speaker != after.speaker or len(join_words([*before, after])) > chars

    for words in split(list_words(result), ends):
        yield Caption(words[0].start, max(words[-1].end, words[0].start + 1), join_words(words))
