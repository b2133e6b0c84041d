"""TextGrid: Praat, praatio and textgrid read the same tiers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import parselmouth
import pytest
import textgrid
from hypothesis import given, settings
from parselmouth.praat import call
from praatio import textgrid as praatio

from app.formats.source import Source
from app.formats.tiers import fill_gaps, gather_tiers
from tests.app.formats.transcripts import INTERVIEW, choose, segment, simple, sources, write

Tiers = list[tuple[str, list[tuple[int, int, str]]]]


def expected(source: Source) -> Tiers:
    """All tiers, with the intervals between the utterances."""
    found, tiers = gather_tiers(source, words=True), []
    for tier, name in zip(found.tiers, found.name_word_tiers(), strict=True):
        words = [word for each in tier.utterances for word in each.words]
        tiers.append((tier.name, list(fill_gaps(tier.utterances, found.length))))
        tiers.append((name, list(fill_gaps(words, found.length))))
    return tiers


def in_milliseconds(seconds: Any) -> int:
    return round(float(seconds) * 1000)


def read_with_praat(path: Path) -> Tiers:
    grid = parselmouth.Data.read(str(path))
    tiers = []
    for number in range(1, call(grid, "Get number of tiers") + 1):
        rows = []
        for index in range(1, call(grid, "Get number of intervals", number) + 1):
            times = (call(grid, f"Get {which} time of interval", number, index) for which in ("start", "end"))
            rows.append((*map(in_milliseconds, times), call(grid, "Get label of interval", number, index)))
        tiers.append((call(grid, "Get tier name", number), rows))
    return tiers  # type: ignore[return-value]


def read_with_praatio(path: Path) -> Tiers:
    grid = praatio.openTextgrid(str(path), includeEmptyIntervals=True, duplicateNamesMode="error")
    return [
        (tier.name, [(in_milliseconds(each.start), in_milliseconds(each.end), each.label) for each in tier.entries])
        for tier in grid.tiers
    ]


def read_with_textgrid(path: Path) -> Tiers:
    grid = textgrid.TextGrid.fromFile(str(path))
    return [
        (tier.name, [(in_milliseconds(each.minTime), in_milliseconds(each.maxTime), each.mark) for each in tier])
        for tier in grid.tiers
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("textgrid") / "a.TextGrid"


@settings(max_examples=40, deadline=None)
@given(source=sources())
def test_textgrid_is_read_back_for_any_text(path: Path, source: Source) -> None:
    path.write_text(write("textgrid", source), encoding="utf-8")
    tiers = expected(source)
    assert read_with_praat(path) == tiers
    # praatio and textgrid strip labels
    stripped = [(name, [(start, end, text.strip()) for start, end, text in rows]) for name, rows in tiers]
    assert read_with_praatio(path) == stripped
    assert read_with_textgrid(path) == stripped


@settings(max_examples=40, deadline=None)
@given(source=sources())
def test_intervals_of_every_tier_cover_the_recording(source: Source) -> None:
    """Praat reads gaps and overlaps without a word."""
    text = write("textgrid", source)
    assert text.startswith('File type = "ooTextFile"\n')
    xmax = re.search(r"^xmax = (\S+) $", text, re.MULTILINE)
    assert xmax
    parts = text.split("    item [")[1:]
    assert len(parts) == int(text.split("\nsize = ")[1].split()[0])
    for part in parts:
        bounds = [
            in_milliseconds(each) for each in re.findall(r"^            xm(?:in|ax) = (\S+) $", part, re.MULTILINE)
        ]
        assert bounds[0] == 0 and bounds[-1] == in_milliseconds(xmax[1])
        assert bounds[1:-1:2] == bounds[2:-1:2] and all(a < b for a, b in zip(bounds[::2], bounds[1::2], strict=True))
        assert f"        xmin = 0 \n        xmax = {xmax[1]} \n" in part


def test_textgrid_is_written_as_praat_writes_it() -> None:
    names = {"SPEAKER_00": "Maria", "SPEAKER_01": "Öztürk"}
    text = write("textgrid", choose(simple(*INTERVIEW, names=names), words=False))
    assert [line.rstrip() for line in text.split("\n")] == EXACT.split("\n")
    bare = re.compile(r"(File type|Object class) = .*|\s*(item|intervals) \[\d+\]:|")
    assert all(bare.fullmatch(line) or line.endswith(" ") for line in text.split("\n")), "Praat ends lines with a space"


def test_forced_aligner_gets_one_tier_for_each_speaker(path: Path) -> None:
    source = simple(*INTERVIEW)
    path.write_text(write("textgrid", source), encoding="utf-8")
    names = ["SPEAKER_00", "SPEAKER_00 - words", "SPEAKER_01", "SPEAKER_01 - words"]
    assert [name for name, _ in read_with_praat(path)] == names
    path.write_text(write("textgrid", choose(source, words=False)), encoding="utf-8")
    assert [name for name, _ in read_with_praat(path)] == names[::2]


def test_textgrid_of_silence_is_read_back(path: Path) -> None:
    path.write_text(write("textgrid", simple()), encoding="utf-8")
    assert read_with_praat(path) == [(name, [(0, 10240, "")]) for name in ("speech", "speech - words")]


def test_textgrid_of_vad_marks_the_speech(path: Path) -> None:
    path.write_text(write("textgrid", simple({"start": 0.5, "end": 2}, length=3), "vad"), encoding="utf-8")
    rows = [(0, 500, ""), (500, 2000, "speech"), (2000, 3000, "")]
    assert read_with_praat(path) == read_with_praatio(path) == [("speech", rows)]


def test_word_tier_has_a_name_of_its_own() -> None:
    talk = (segment("one", 0, 1, "SPEAKER_00"), segment("two", 1, 2, "SPEAKER_01"))
    text = write("textgrid", simple(*talk, names={"SPEAKER_00": "Eve", "SPEAKER_01": "Eve - words"}))
    assert re.findall(r'name = "(.*)"', text) == ["Eve", "Eve - words 2", "Eve - words", "Eve - words - words"]


EXACT = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 10.24
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "Maria"
        xmin = 0
        xmax = 10.24
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.31
            text = ""
        intervals [2]:
            xmin = 0.31
            xmax = 1.64
            text = "he said ""hello"""
        intervals [3]:
            xmin = 1.64
            xmax = 10.24
            text = ""
    item [2]:
        class = "IntervalTier"
        name = "Öztürk"
        xmin = 0
        xmax = 10.24
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.58
            text = ""
        intervals [2]:
            xmin = 1.58
            xmax = 2.6
            text = "yes"
        intervals [3]:
            xmin = 2.6
            xmax = 10.24
            text = ""
'''
