"""Names of speakers are in every file but JSON, and choices hold for the formats that have them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from app.cli import outputs
from app.formats import BINARY, EXTENSIONS, MIMETYPES, TRANSCRIPT, WRITERS
from app.formats.choices import SUITABLE, Choices, explain_unsuitable
from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, choose, write
from tests.service import ROOT

NAMES = {"SPEAKER_00": "Maria", "SPEAKER_01": "Öztürk"}
SOURCE = Source(
    json.dumps(INTERVIEW),
    "interview.mp3",
    "0",
    10.24,
    "de",
    1e9,
    NAMES,
    '[[0.31, 1.64, "SPEAKER_00"], [1.5, 2.6, "SPEAKER_01"]]',
)


@pytest.mark.parametrize("form", [name for name in SUITABLE["names"] if name not in BINARY])
def test_names_are_in_every_file_unless_labels_are_wanted(form: str) -> None:
    named, labelled = write(form, SOURCE), write(form, choose(SOURCE, names=False))
    assert "Maria" in named and "Öztürk" in named and "SPEAKER_0" not in named
    assert labelled == named.replace("Maria", "SPEAKER_00").replace("Öztürk", "SPEAKER_01")


@pytest.mark.parametrize("form", ["json", "ctm"])
def test_json_keeps_the_labels_and_ctm_has_none(form: str) -> None:
    assert "Maria" not in write(form, SOURCE)


def test_merged_speakers_are_one_in_subtitles() -> None:
    merged = Source(SOURCE.result, names={"SPEAKER_00": "Eve", "SPEAKER_01": "Eve"})
    assert write("txt", merged) == 'Eve: he said "hello"\nEve: yes\n'
    assert write("vtt", merged).count("<v Eve>") == 2


@pytest.mark.parametrize("form", TRANSCRIPT)
def test_writing_twice_gives_the_same_bytes(form: str) -> None:
    assert list(TRANSCRIPT[form](SOURCE)) == list(TRANSCRIPT[form](SOURCE))


@pytest.mark.parametrize("form", [name for name in TRANSCRIPT if name not in BINARY])
def test_silence_is_a_valid_file(form: str) -> None:
    empty = Source("[]", "a.mp3", "0", 3.0, turns="[]")
    assert "hello" not in write(form, empty)


def test_choices_name_the_formats_that_have_them() -> None:
    made = Choices(words=True, stamps="f4", unsure=False)
    assert explain_unsuitable("qda", made).keys() == {"words", "unsure"}
    assert explain_unsuitable("textgrid", Choices(words=False, names=False)) == {}
    assert {name for formats in SUITABLE.values() for name in formats} <= set(MIMETYPES)


def test_every_format_has_a_type_and_the_same_extension_on_the_command_line() -> None:
    assert {name for writers in WRITERS.values() for name in writers} == set(MIMETYPES) == set(EXTENSIONS)
    assert {name: outputs.choose_extension(name) for name in EXTENSIONS} == EXTENSIONS


MEASURE = """
import json, resource, sys, time
from app.formats import list_writers
from app.formats.source import Source
form = sys.argv[1]
words = lambda n: [{"word": "monday", "start": n + k * 0.3, "end": n + k * 0.3 + 0.2, "probability": 0.9, "speaker": None}
                   for k in range(10)]
one = lambda n: {"start": 3.6 * n, "end": 3.6 * n + 3.4, "text": "monday " * 10, "words": words(3.6 * n),
                 "speaker": f"SPEAKER_0{n // 10 % 3}", "tokens": list(range(12))}
text = "[" + ", ".join(json.dumps(one(n)) for n in range(10_000)) + "]"
source = Source(text, "a.mp3", "0", 36_000.0, turns="[]")
write = list_writers("transcription")[form]
for piece in write(Source(json.dumps([one(0)]), "a.mp3", "0", 36_000.0, turns="[]")): pass  # import what is needed
before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
size = sum(len(piece) for piece in write(source))
spent = time.process_time() - begun
print(size, spent, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["textgrid", "eaf", "qda", "docx"])
def test_ten_hours_take_little_time_and_memory(form: str) -> None:
    command: list[Any] = [sys.executable, "-c", MEASURE, form]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    size, seconds, grown = map(float, done.stdout.split())
    assert size > 10_000 and grown < 100 * 1024 * 1024
    assert seconds < 10, "about 2 s on an idle machine"
