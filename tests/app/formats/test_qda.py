"""Paragraphs with time stamps: every paragraph keeps to the grammar, and no word is lost."""

from __future__ import annotations

import re

from hypothesis import given, settings

from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, choose, letters, segment, simple, sources, spoken, write

NAME = r"(?:[^<>\"{}:\\\t\n]+: )?"
PARAGRAPH = re.compile(rf"\[(\d\d):([0-5]\d):([0-5]\d)\] ({NAME})(.+)")
F4 = re.compile(rf"({NAME})(.+) #(\d\d):([0-5]\d):([0-5]\d)-\d#")


@settings(max_examples=80, deadline=None)
@given(sources())
def test_every_paragraph_has_a_stamp_that_never_falls(source: Source) -> None:
    text = write("qda", choose(source, names=False))
    paragraphs = text.rstrip("\n").split("\n\n") if text else []
    found = [PARAGRAPH.fullmatch(each) for each in paragraphs]
    stamps = [each.groups()[:3] for each in found if each]
    assert len(stamps) == len(paragraphs) and stamps == sorted(stamps)
    labels = [re.sub(r"^\[[\d:]+\] (SPEAKER_\d\d: )?", "", each) for each in paragraphs]
    assert sorted(letters("".join(labels))) == spoken(source)
    ends = write("qda", choose(source, stamps="f4", names=False)).split("\n\n") if text else []
    assert len(ends) == len(paragraphs) and all(F4.fullmatch(each.rstrip("\n")) for each in ends)


def test_paragraphs_are_written_as_the_programs_read_them() -> None:
    source = simple(*INTERVIEW, names={"SPEAKER_00": "Maria", "SPEAKER_01": "Öztürk"})
    assert write("qda", source) == '[00:00:00] Maria: he said "hello"\n\n[00:00:01] Öztürk: yes\n'
    assert write("qda", choose(source, stamps="f4")) == (
        'Maria: he said "hello" #00:00:01-6#\n\nÖztürk: yes #00:00:02-6#\n'
    )
    assert write("qda", choose(source, names=False)).startswith("[00:00:00] SPEAKER_00: ")


def test_paragraph_lasts_until_another_speaks_or_thirty_seconds_pass() -> None:
    talk = [segment(f"s{n}", 10.0 * n, 10.0 * n + 9) for n in range(5)]
    assert write("qda", simple(*talk, length=60)) == "[00:00:00] s0 s1 s2\n\n[00:00:30] s3 s4\n"
    chinese = simple(segment("謝謝", 0, 1), segment("大家", 1, 2))
    assert write("qda", chinese) == "[00:00:00] 謝謝大家\n"


def test_hours_are_written() -> None:
    assert write("qda", simple(segment("late", 3723, 3724), length=4000)) == "[01:02:03] late\n"
    assert write("qda", simple()) == ""
