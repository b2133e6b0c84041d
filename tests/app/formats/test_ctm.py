"""CTM: MeetEval reads every word, in the order that sclite wants."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from app.formats.source import Source
from tests.app.formats.transcripts import INTERVIEW, NO_MEETEVAL, letters, segment, simple, sources, spoken, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ctm") / "a.ctm"


@settings(max_examples=60, deadline=None)
@given(source=sources())
def test_ctm_has_every_word_by_onset(path: Path, source: Source) -> None:
    meeteval = pytest.importorskip("meeteval", reason=NO_MEETEVAL)
    text = write("ctm", source)
    path.write_text(text, encoding="utf-8")
    lines = meeteval.io.CTM.load(str(path)) if text else []
    assert sorted(letters("".join(each.word for each in lines)).replace("_", "")) == [
        each for each in spoken(source) if each not in "_\u00a0\u202f"
    ]
    starts = [float(each.begin_time) for each in lines]
    assert starts == sorted(starts) and all(each.duration > 0 for each in lines)
    assert {each.filename for each in lines} <= {"a_b"}


def test_ctm_is_written_as_sclite_reads_it() -> None:
    assert write("ctm", simple(*INTERVIEW)) == (
        "interview 1 0.310 0.400 he 0.900\n"
        "interview 1 0.710 0.400 said 0.900\n"
        'interview 1 1.110 0.400 "hello" 0.900\n'
        "interview 1 1.580 0.500 yes 0.900\n"
    )


def test_unknown_probability_is_left_out() -> None:
    assert write("ctm", simple(segment("one\u00a0two", 0, 1))) == "interview 1 0.000 1.000 one_two\n"


def test_name_of_a_recording_is_no_comment() -> None:
    assert write("ctm", Source('[{"start": 0, "end": 1, "text": "a"}]', ";;x.mp3", "0")).startswith("__x 1 ")
