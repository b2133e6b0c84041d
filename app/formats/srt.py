"""SubRip subtitles.

The format has no escapes, so text that looks like markup is broken up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from app.formats.cues import Cue, Lead, make_cues
from app.formats.turns import iter_items, join_pieces

# Players read <i>, {\an8} and \N as markup, and an arrow as a time line. A zero-width space breaks these up invisibly.
# Some players hide all text in braces, so braces are replaced by their full-width form.
MARKUP = re.compile(r"(<(?=[a-zA-Z/])|--(?=>)|\\(?=[Nnh]))")
WIDE_BRACES = str.maketrans("{}", "｛｝")
ZERO_WIDTH_SPACE = "\u200b"


def speaker_prefix(speaker: str | None) -> str:
    """The prefix of a speaker's first line."""
    return f"{speaker}: " if speaker else ""


def write(result: str, lead: Lead = speaker_prefix) -> Iterator[str]:
    """Write the cues of a transcript; ``lead`` returns the prefix of a speaker's first line."""
    return write_segments(iter_items(result), lead)


def write_segments(segments: Iterable[dict[str, Any]], lead: Lead = speaker_prefix) -> Iterator[str]:
    """Write the cues of decoded segments."""
    for number, cue in enumerate(make_cues(segments, lead), 1):
        yield f"{number}\n{format_time(cue.start)} --> {format_time(cue.end)}\n{_text(cue, lead)}\n\n"


def format_time(milliseconds: int) -> str:
    """Format a time as ``01:02:03,456``."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{rest:03}"


def _text(cue: Cue, lead: Lead) -> str:
    return escape(lead(cue.speaker) + "\n".join(join_pieces(pieces) for pieces in cue.lines))


def escape(text: str) -> str:
    """Break up what players would read as markup."""
    return MARKUP.sub(rf"\1{ZERO_WIDTH_SPACE}", text).translate(WIDE_BRACES)
