"""WebVTT (W3C) subtitles with speaker voices and word timestamps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.formats.cues import Cue, Lead, make_cues, no_lead
from app.formats.turns import iter_items

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(result: str, lead: Lead | None = None, word_times: bool = True) -> Iterator[str]:
    """Write the cues of a transcript.

    ``lead`` returns the prefix of a speaker's first line; without it, voice tags name speakers. ``word_times``: mark the
    start of words.
    """
    return write_segments(iter_items(result), lead, word_times)


def write_segments(
    segments: Iterable[dict[str, Any]], lead: Lead | None = None, word_times: bool = True
) -> Iterator[str]:
    """Write the cues of decoded segments."""
    yield "WEBVTT\n\n"
    for cue in make_cues(segments, lead or no_lead):
        voice = lead(cue.speaker).translate(ESCAPES) if lead else _tag_voice(cue.speaker)
        yield f"{format_time(cue.start)} --> {format_time(cue.end)}\n{voice}{_text(cue, word_times)}\n\n"


def _tag_voice(speaker: str | None) -> str:
    return f"<v {speaker.translate(ESCAPES)}>" if speaker else ""


def format_time(milliseconds: int) -> str:
    """Format a time as ``01:02:03.456``."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def _text(cue: Cue, word_times: bool) -> str:
    """Format a cue's lines, on request with word timestamps.

    WebVTT requires word timestamps to ascend, strictly inside the cue.
    """
    latest = cue.start
    lines = []
    for pieces in cue.lines:
        written = ""
        for number, piece in enumerate(pieces):
            written += " " * (piece.spaced and number > 0)
            if word_times and piece.timed and latest < piece.start < cue.end:
                written += f"<{format_time(piece.start)}>"
                latest = piece.start
            written += piece.text.translate(ESCAPES)
        lines.append(written)
    return "\n".join(lines)
