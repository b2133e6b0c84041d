"""RTTM of NIST: the turns of the speakers, as the diarizer found them, overlaps included."""

from __future__ import annotations

from collections.abc import Iterator

from app.formats.fields import write_field, write_file_field
from app.formats.seconds import format_long
from app.formats.source import Source
from app.formats.tiers import SPEECH
from app.formats.turns import iter_items, to_milliseconds
from app.formats.utterances import clip

Turn = tuple[int, int, str]


def write(source: Source) -> Iterator[str]:
    """Write the turns of a transcript. Raises UnwritableError if the task did not look for speakers."""
    return _write_turns(source, source.read_turns())


def write_speech(source: Source) -> Iterator[str]:
    """Write speech segments, which have no speaker."""
    spans = iter_items(source.result)
    found = [(to_milliseconds(span["start"]), to_milliseconds(span["end"]), SPEECH) for span in spans]
    return _write_turns(source, found)


def _write_turns(source: Source, turns: list[Turn]) -> Iterator[str]:
    file, last = write_file_field(source.stem), source.measure_length()
    inside = [(*clip(start, end, 0, last), name) for start, end, name in turns]
    for start, end, name in sorted(join_overlaps(inside), key=lambda turn: turn[0]):
        times = f"{format_long(start)} {format_long(end - start)}"
        yield f"SPEAKER {file} 1 {times} <NA> <NA> {write_field(name)} <NA> <NA>\n"


def join_overlaps(turns: list[Turn]) -> list[Turn]:
    """Make one turn of those of one speaker that overlap, as two labels with the same name may do."""
    joined: list[Turn] = []
    latest: dict[str, int] = {}  # the place of each speaker's last turn
    for start, end, name in sorted(turns):
        place = latest.get(name)
        if place is not None and start < joined[place][1]:
            joined[place] = (joined[place][0], max(joined[place][1], end), name)
        else:
            latest[name] = len(joined)
            joined.append((start, end, name))
    return joined
