"""Label tracks of Audacity: three columns that need no quotes."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings

from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, choose, letters, simple, sources, spoken, write


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


@settings(max_examples=60, deadline=None)
@given(sources())
def test_labels_have_three_columns_for_any_text(source: Source) -> None:
    for words in (False, True):
        rows = read(write("audacity", choose(source, words=words, names=False)))
        assert all(len(row) == 3 and 0 <= float(row[0]) < float(row[1]) for row in rows)
        if words:
            assert sorted(letters("".join(row[2] for row in rows))) == spoken(source)


def test_labels_are_written_as_audacity_writes_them() -> None:
    source = simple(*INTERVIEW, names={"SPEAKER_00": "Maria"})
    assert write("audacity", source) == (
        '0.310000\t1.640000\tMaria: he said "hello"\n1.580000\t2.600000\tSPEAKER_01: yes\n'
    )
    assert write("audacity", choose(source, words=True)).splitlines()[-1] == "1.580000\t2.080000\tyes"


def test_labels_of_vad_mark_the_speech() -> None:
    assert write("audacity", simple({"start": 0.5, "end": 2}), "vad") == "0.500000\t2.000000\tspeech\n"
