"""RTTM: pyannote and MeetEval read the diarizer's turns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from app.formats.source import Source, UnwritableError
from tests.app.formats.transcripts import LABELS, NAMES, NO_MEETEVAL, choose, simple, write

LENGTH = 30.0
MILLISECONDS = st.integers(0, 29_000)


@st.composite
def talks(draw: st.DrawFn) -> list[list[object]]:
    """Turns that overlap, but not those of one speaker."""
    turns = []
    for label in draw(st.lists(st.sampled_from(LABELS), unique=True)):
        bounds = sorted(draw(st.sets(MILLISECONDS, max_size=8)))
        turns += [[a / 1000, b / 1000, label] for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    return sorted(turns)


def annotate(turns: list[list[object]]) -> Annotation:
    made = Annotation(uri="a_b")
    for number, (start, end, label) in enumerate(turns):
        made[Segment(start, end), number] = label
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rttm") / "a.rttm"


def read_with_pyannote(path: Path) -> Annotation:
    (read,) = load_rttm(str(path)).values()
    return read


@settings(max_examples=60, deadline=None)
@given(turns=talks())
def test_rttm_has_the_turns_of_the_diarizer(path: Path, turns: list[list[object]]) -> None:
    path.write_text(write("rttm", Source("[]", "a b.mp3", "0", LENGTH, turns=json.dumps(turns))), encoding="utf-8")
    if not turns:
        assert path.read_text() == ""
        return
    read = read_with_pyannote(path)
    assert DiarizationErrorRate()(annotate(turns), read) == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(turns=talks())
def test_meeteval_reads_the_turns_by_onset(path: Path, turns: list[list[object]]) -> None:
    meeteval = pytest.importorskip("meeteval", reason=NO_MEETEVAL)
    text = write("rttm", Source("[]", "a b.mp3", "0", LENGTH, turns=json.dumps(turns)))
    path.write_text(text, encoding="utf-8")
    lines = meeteval.io.RTTM.load(str(path)) if text else []
    heard = [
        (float(each.begin_time), round(float(each.begin_time + each.duration), 3), each.speaker_id) for each in lines
    ]
    assert sorted(heard) == sorted((start, end, label) for start, end, label in turns)
    assert [each[0] for each in heard] == sorted(each[0] for each in heard)


@settings(max_examples=40, deadline=None)
@given(turns=talks(), names=st.dictionaries(st.sampled_from(LABELS), st.sampled_from(NAMES)))
def test_turns_of_one_name_do_not_overlap(path: Path, turns: list[list[object]], names: dict[str, str]) -> None:
    source = Source("[]", "a b.mp3", "0", LENGTH, names=names, turns=json.dumps(turns))
    path.write_text(write("rttm", source), encoding="utf-8")
    latest: dict[str, float] = {}
    for line in path.read_text().splitlines():
        kind, file, channel, start, duration, *others = line.split(" ")
        assert (kind, file, channel, len(others)) == ("SPEAKER", "a_b", "1", 5)
        assert float(duration) > 0 and float(start) >= latest.get(others[2], 0) - 1e-9
        latest[others[2]] = float(start) + float(duration)
    assert set(latest) == {names.get(str(label), str(label)).replace(" ", "_") for _, _, label in turns}


def test_rttm_is_written_as_pyannote_writes_it(path: Path) -> None:
    source = simple(turns='[[0.31, 1.64, "SPEAKER_00"], [1.5, 12.0, "SPEAKER_01"]]', names={"SPEAKER_00": "Anna B"})
    assert write("rttm", source) == (
        "SPEAKER interview 1 0.310 1.330 <NA> <NA> Anna_B <NA> <NA>\n"
        "SPEAKER interview 1 1.500 8.740 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
    )
    assert " SPEAKER_00 " in write("rttm", choose(source, names=False))


def test_turns_that_were_not_looked_for_cannot_be_written() -> None:
    with pytest.raises(UnwritableError, match="is_diarize=true"):
        write("rttm", simple())


def test_rttm_of_vad_has_one_speaker() -> None:
    source = simple({"start": 0.5, "end": 2}, length=3)
    assert write("rttm", source, "vad") == "SPEAKER interview 1 0.500 1.500 <NA> <NA> speech <NA> <NA>\n"
