"""Word documents: mammoth reads the paragraphs, and nothing is left of the library's template."""

from __future__ import annotations

import io
import re
from typing import Any
from zipfile import ZipFile

import mammoth
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats import list_writers
from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, choose, letters, segment, simple, sources, write


def make(source: Source) -> bytes:
    (content,) = list_writers("transcription")["docx"](source)
    assert isinstance(content, bytes)
    return content


def read(content: bytes) -> tuple[str, list[str]]:
    """Read the title and the paragraphs with mammoth."""
    title, *paragraphs = mammoth.extract_raw_text(io.BytesIO(content)).value.rstrip("\n").split("\n\n")
    return title, paragraphs


def parts(content: bytes) -> dict[str, str]:
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("latin-1") for name in archive.namelist()}


@settings(max_examples=12, deadline=None)  # mammoth takes half a second for each
@given(source=sources(), stamps=st.sampled_from(["brackets", "f4"]))
def test_word_shows_the_same_paragraphs_as_qda(source: Source, stamps: str) -> None:
    wanted = write("qda", choose(source, stamps=stamps)).replace("\ufffe", "").replace("\uffff", "").rstrip("\n")
    title, paragraphs = read(make(choose(source, stamps=stamps)))
    assert title == "a b.mp3" and paragraphs == (wanted.split("\n\n") if wanted else [])


def test_names_are_bold() -> None:
    document = Document(io.BytesIO(make(simple(*INTERVIEW, names={"SPEAKER_00": "Maria"}))))
    title, *paragraphs = document.paragraphs
    assert (title.text, title.style.name) == ("interview.mp3", "Title")
    assert [[run.text for run in each.runs if run.bold] for each in paragraphs] == [["Maria"], ["SPEAKER_01"]]
    html = mammoth.convert_to_html(io.BytesIO(make(simple(*INTERVIEW)))).value
    assert re.findall("<strong>(.*?)</strong>", html) == ["SPEAKER_00", "SPEAKER_01"]


def test_properties_are_those_of_the_recording() -> None:
    content = make(simple(*INTERVIEW, language="de", ended_at=1795795200.0))
    known = Document(io.BytesIO(content)).core_properties
    assert (known.title, known.language, known.author, known.comments) == ("interview.mp3", "de", "", "")
    assert known.created == known.modified and known.created.isoformat() == "2026-11-27T16:00:00+00:00"
    found = parts(content)
    assert not [name for name in found if "thumbnail" in name]
    assert not re.search("python-docx|2013-", "".join(found.values()))
    assert '<w:lang w:val="de"' in found["word/styles.xml"]


def test_arabic_runs_from_right_to_left() -> None:
    styles = parts(make(simple(*INTERVIEW, language="ar")))["word/styles.xml"]
    assert 'w:bidi="ar"' in styles and "<w:bidi/>" in styles
    assert "<w:bidi/>" not in parts(make(simple(*INTERVIEW, language="de")))["word/styles.xml"]


def test_only_the_least_sure_words_are_highlighted() -> None:
    said = segment(" ".join(f"w{n}" for n in range(60)), 0, 6, None, 0.1)
    for number, probability in ((3, 0.1), (7, 0.2), (8, 0.3), (20, 0.34)):
        said["words"][number]["probability"] = probability

    def highlighted(**made: Any) -> list[str]:
        document = Document(io.BytesIO(make(choose(simple(said), **made))))
        return [run.text for each in document.paragraphs for run in each.runs if run.font.highlight_color]

    assert highlighted(unsure=True) == ["w3", "w7 w8"]
    assert highlighted() == []
    assert letters(read(make(choose(simple(said), unsure=True)))[1][0]).startswith("[00:00:00]w0w1w2w3w4")
