"""Tables for NVivo: three columns, in order, without quotes."""

from __future__ import annotations

import csv
import io
import re

from hypothesis import given, settings

from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, letters, simple, sources, spoken, write

TIMESPAN = re.compile(r"(\d+):([0-5]\d):([0-5]\d\.\d)-(\d+):([0-5]\d):([0-5]\d\.\d)")


@settings(max_examples=60, deadline=None)
@given(sources())
def test_rows_of_nvivo_are_read_back_for_any_text(source: Source) -> None:
    head, *rows = csv.reader(io.StringIO(write("nvivo", source)), delimiter="\t", quoting=csv.QUOTE_NONE)
    assert head == ["Timespan", "Speaker", "Content"]
    starts = []
    for span, _, _ in rows:
        found = TIMESPAN.fullmatch(span)
        assert found
        hours, minutes, seconds, *end = map(float, found.groups())
        starts.append(hours * 3600 + minutes * 60 + seconds)
        assert starts[-1] < end[0] * 3600 + end[1] * 60 + end[2]
    assert starts == sorted(starts)
    assert sorted(letters("".join(row[2] for row in rows))) == spoken(source)


def test_rows_are_written_as_nvivo_reads_them() -> None:
    assert write("nvivo", simple(*INTERVIEW, names={"SPEAKER_00": "Maria", "SPEAKER_01": "Öztürk"})) == (
        'Timespan\tSpeaker\tContent\n0:00:00.3-0:00:01.6\tMaria\the said "hello"\n0:00:01.5-0:00:02.6\tÖztürk\tyes\n'
    )
