"""Result files: other programs read back every cue of any text, with short lines and the right times."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats import list_writers
from app.formats.cues import COLUMNS, LINES
from app.formats.source import Source
from app.formats.srt import ZERO_WIDTH_SPACE
from app.formats.text import display_width, normalize

STAMP = re.compile(r"<\d\d:\d\d:\d\d\.\d{3}>")
ODD = [
    "-->",
    "&",
    "&lt;",
    "<",
    ">",
    "<b>x</b>",
    "<v Eve>",
    "00:00:01,000 --> 00:00:02,000",
    "7",
    "NOTE",
    "WEBVTT",
    "STYLE",
]
ODD += [
    "{\\an8}",
    "a\nb",
    "\n\n1\n",
    "\r",
    "\t",
    "\0",
    "\u2028",
    "\ufeff",
    "字" * 50,
    "x" * 90,
    "e\u0301" * 50,
    "👩‍👩‍👧" * 30,
]
ODD += ["\ud800", "«non »", "\u202eabc", "。。。。", "《" * 9]
WORDS = st.one_of(
    st.sampled_from(ODD), st.text(min_size=1, max_size=12), st.sampled_from("hello monday and so on".split())
)
SPEAKERS = st.sampled_from([None, "SPEAKER_00", "SPEAKER_01"])


def written(form: str, segments: list[dict[str, Any]], task_type: str = "transcription") -> str:
    # as stored in the database: lone surrogates are escaped, as a database rejects them
    return "".join(map(str, list_writers(task_type)[form](Source(json.dumps(segments)))))


def said(
    text: str, start: float = 0.0, end: float = 2.0, words: Any = (), speaker: str | None = None
) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, "words": list(words), "speaker": speaker}


def timed(text: str, start: float = 0.0, each: float = 0.3, gap: float = 0.1, speaker: str | None = None) -> Any:
    """Make timed words of ``text``."""
    return [
        {"word": word, "start": start + n * (each + gap), "end": start + n * (each + gap) + each, "speaker": speaker}
        for n, word in enumerate(text.split())
    ]


@st.composite
def transcripts(draw: st.DrawFn, shortest: float = 0.0) -> list[dict[str, Any]]:
    """Generate ordered segments.

    Their words have right, wrong or no times; some have no words, some have speakers.
    """
    segments, start = [], 0.0
    for tokens in draw(st.lists(st.lists(WORDS, max_size=30), max_size=6)):
        end = start + draw(st.floats(shortest, shortest + 30))
        words = []
        for token in tokens if draw(st.booleans()) else []:
            times = draw(st.sampled_from(["none", "wrong", "null"]) | st.just("right"))
            word: dict[str, Any] = {"word": draw(st.sampled_from(["", " "])) + token, "speaker": draw(SPEAKERS)}
            if times == "right":
                word |= {"start": start + len(words) * (end - start) / len(tokens), "end": end}
            elif times != "none":
                word |= {"start": None if times == "null" else draw(st.floats(-5, 100)), "end": start}
            words.append(word)
        joined = draw(st.sampled_from([" ", ""])).join(tokens)
        segments.append(said(joined, start, end, words, draw(SPEAKERS)))
        start = end if shortest else start + draw(st.floats(0, 20))
    return segments


def unmarked(text: str) -> str:
    """Remove what an SRT player reads as markup."""
    return text.replace(ZERO_WIDTH_SPACE, "").replace("｛", "{").replace("｝", "}")


def letters(text: str) -> str:
    return "".join(normalize(text).split()).replace("\u00a0", "").replace("\u202f", "")


def spoken(segments: list[dict[str, Any]]) -> str:
    return letters("".join(normalize(segment["text"]) for segment in segments))


def played(path: Path, form: str) -> list[tuple[int, int, str]]:
    """Read subtitles with FFmpeg: start and duration in milliseconds, and the text, without text in braces."""
    shown = []
    with av.open(str(path), format=form) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            for subtitle in packet.decode():
                shown.append((int(packet.pts), int(packet.duration), subtitle.ass.decode().split(",,", 2)[2]))
    return shown


@settings(max_examples=150, deadline=None)
@given(transcripts())
def test_srt_is_read_back_for_any_text(segments: list[dict[str, Any]]) -> None:
    text = written("srt", segments)
    cues = list(srt.parse(text, ignore_errors=False))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    assert all(cue.start < cue.end for cue in cues)
    content = "".join(re.sub(r"^SPEAKER_0\d: ?", "", cue.content) for cue in cues)
    if segments == sorted(segments, key=lambda segment: segment["start"]) and not overlapping(segments):
        assert letters(unmarked(content)) == unmarked(spoken(segments))
    for cue in cues:
        lines = cue.content.split("\n")
        assert len(lines) <= LINES and all(display_width(unmarked(line)) <= COLUMNS for line in lines)


def test_lines_are_short_when_only_words_have_speakers() -> None:
    words = timed("a" * 41, speaker="SPEAKER_00")
    (cue,) = srt.parse(written("srt", [said("a" * 41, words=words)]))
    assert all(display_width(line) <= COLUMNS for line in cue.content.split("\n"))


def overlapping(segments: list[dict[str, Any]]) -> bool:
    return any(before["end"] > after["start"] for before, after in zip(segments, segments[1:], strict=False))


@settings(max_examples=150, deadline=None)
@given(transcripts())
def test_vtt_is_read_back_for_any_text(segments: list[dict[str, Any]]) -> None:
    text = written("vtt", segments)
    cues = list(webvtt.from_buffer(io.BytesIO(text.encode("utf-8"))))
    assert text.count(" --> ") == len(cues)
    assert [cue.start_in_seconds for cue in cues] == sorted(cue.start_in_seconds for cue in cues)
    for cue in cues:
        body = STAMP.sub("", re.sub(r"^<v SPEAKER_0\d>", "", cue.raw_text))
        assert not re.search("[<>]", body), "text is never markup"
        lines = unescaped(body).split("\n")
        assert 1 <= len(lines) <= LINES and all(display_width(line) <= COLUMNS for line in lines)
        stamps = [cue.start, *(stamp[1:-1] for stamp in STAMP.findall(cue.raw_text)), cue.end]
        assert stamps == sorted(set(stamps)), "ascending, strictly inside the cue"
    if not overlapping(segments):
        bodies = "".join(re.sub(r"<[^>]*>", "", cue.raw_text) for cue in cues)
        assert letters(unescaped(bodies)) == spoken(segments)


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@settings(max_examples=100, deadline=None)
@given(transcripts())
def test_tsv_and_txt_have_one_line_per_turn(segments: list[dict[str, Any]]) -> None:
    rows = list(csv.DictReader(io.StringIO(written("tsv", segments)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert letters("".join(row["text"] for row in rows)) == spoken(segments)
    assert all(
        int(row["start"]) <= int(row["end"]) and row["speaker"] in ("", "SPEAKER_00", "SPEAKER_01") for row in rows
    )
    lines = written("txt", segments).split("\n")[:-1]
    assert lines == [f"{row['speaker']}: {row['text']}" if row["speaker"] else row["text"] for row in rows]


@settings(max_examples=40, deadline=None)
@given(transcripts(shortest=1.0))
@pytest.mark.parametrize(("form", "demuxer"), [("srt", "srt"), ("vtt", "webvtt")])
def test_ffmpeg_shows_the_same_cues(
    tmp_path_factory: Any, form: str, demuxer: str, segments: list[dict[str, Any]]
) -> None:
    text = written(form, segments)
    if text.count("-->") == 0:
        return
    path = tmp_path_factory.mktemp("subtitles") / f"a.{form}"
    path.write_text(text, encoding="utf-8")
    with av.open(str(path), format=demuxer) as container:
        (stream,) = container.streams.subtitles
        shown = [(packet.pts, packet.duration) for packet in container.demux(stream) if packet.size]
    assert shown == announced(text), "FFmpeg shows repeated cues once"


def announced(text: str) -> list[tuple[int, int]]:
    """Parse start and duration of each cue in milliseconds.

    Repeated cues count once.
    """
    blocks = [block[block.index(":") - 2 :] for block in text.split("\n\n") if " --> " in block]
    found = []
    for block, _ in groupby(blocks):
        start, end = (milliseconds(moment) for moment in block.split("\n", 1)[0].split(" --> "))
        found.append((start, end - start))
    return found


def milliseconds(moment: str) -> int:
    hours, minutes, rest = re.sub("[.,]", "", moment).split(":")
    return int(hours) * 3_600_000 + int(minutes) * 60_000 + int(rest)


@pytest.mark.parametrize("said_words", ["Yes & no, <b>bold</b> <i> a --> b", "{\\an8}up {x} \\N down", "7\n\n8"])
def test_ffmpeg_shows_the_text_of_srt_unchanged(tmp_path: Path, said_words: str) -> None:
    ((start, duration, shown),) = played(saved(tmp_path, "srt", said_words), "srt")
    assert (start, duration) == (1000, 2000)
    assert "{" not in shown, "it would hide the text after it"
    assert unmarked(shown.replace("\\N", " ")) == f"SPEAKER_00: {' '.join(said_words.split())}"


@pytest.mark.parametrize("said_words", ["Yes & no, <b>bold</b> <i> a --> b", "&lt; &amp;lt;", "7\n\n8"])
def test_ffmpeg_shows_the_text_of_vtt_unchanged(tmp_path: Path, said_words: str) -> None:
    ((start, duration, shown),) = played(saved(tmp_path, "vtt", said_words), "webvtt")
    assert (start, duration, shown) == (1000, 2000, " ".join(said_words.split()))


def saved(folder: Path, form: str, text: str) -> Path:
    path = folder / f"a.{form}"
    path.write_text(written(form, [said(text, 1, 3, timed(text, 1, 0.1), "SPEAKER_00")]), encoding="utf-8")
    return path


def test_lines_are_even_and_end_with_sentences() -> None:
    text = (
        "Hello and thanks for coming, today we will talk about the weather, the trains, and whatever else "
        "comes up in the next few minutes of this meeting. Then we go home."
    )
    cues = list(srt.parse(written("srt", [said(text, 0, 12, timed(text))])))
    assert [cue.content for cue in cues] == [
        "Hello and thanks for coming, today we\nwill talk about the weather, the trains,",
        "and whatever else comes up in the next few\nminutes of this meeting. Then we go home.",
    ]


def test_line_is_at_most_42_columns() -> None:
    four_words = "abcdefghij " * 4  # 43 columns
    cues = list(srt.parse(written("srt", [said(four_words * 2, 0, 12)])))
    assert {len(line) for cue in cues for line in cue.content.split("\n")} == {21}
    assert [len(cue.content.split()) for cue in cues] == [4, 4]


def test_cues_begin_and_end_with_their_words() -> None:
    text = " ".join(["word"] * 40)
    words = timed(text, 5.0)
    cues = list(srt.parse(written("srt", [said(text, 4.0, 30.0, words)])))  # the last cue stays for seven seconds
    assert len(cues) == 3
    counts = [len(cue.content.split()) for cue in cues]
    ends = [words[sum(counts[: n + 1]) - 1]["end"] for n in range(3)]
    starts = [words[sum(counts[:n])]["start"] for n in range(3)]
    assert [round(cue.end.total_seconds(), 3) for cue in cues] == [*(round(end, 3) for end in ends[:2]), 22.8]
    assert [round(cue.start.total_seconds(), 3) for cue in cues] == [4.0, *(round(start, 3) for start in starts[1:])]


def test_words_without_times_are_interpolated() -> None:
    text = "In 2014 we began " + "and went on and on " * 5
    words = timed(text, 10.0)
    words[1] |= {"start": 10.0, "end": 29.0}  # as an aligner times digits, which it cannot align
    del words[2]["start"], words[2]["end"]
    cues = list(srt.parse(written("srt", [said(text, 10.0, 30.0, words)])))
    times = [time.total_seconds() for cue in cues for time in (cue.start, cue.end)]
    assert times == sorted(times)
    second = len(cues[0].content.split())
    assert cues[1].start.total_seconds() == pytest.approx(words[second]["start"], abs=0.001)


def test_text_without_words_is_timed_by_length() -> None:
    first, second = srt.parse(written("srt", [said("four " * 32, 0, 8)]))
    assert first.end.total_seconds() == pytest.approx(second.start.total_seconds(), abs=0.1)
    assert first.end.total_seconds() == pytest.approx(4.0, abs=0.1)


def test_speaker_change_starts_a_new_cue() -> None:
    words = [*timed("yes of course", 0, speaker="SPEAKER_00"), *timed("not at all", 2, speaker="SPEAKER_01")]
    words[1]["speaker"] = None  # without a speaker, it belongs to the previous one
    segment = said("yes of course not at all", 0, 3.5, words, "SPEAKER_00")
    assert [cue.content for cue in srt.parse(written("srt", [segment]))] == [
        "SPEAKER_00: yes of course",
        "SPEAKER_01: not at all",
    ]
    assert written("txt", [segment]) == "SPEAKER_00: yes of course\nSPEAKER_01: not at all\n"
    voices = webvtt.from_buffer(io.BytesIO(written("vtt", [segment]).encode()))
    assert [(cue.voice, cue.text) for cue in voices] == [("SPEAKER_00", "yes of course"), ("SPEAKER_01", "not at all")]
    assert written("tsv", [segment]).splitlines()[1:] == [
        "0\t1100\tyes of course\tSPEAKER_00",
        "2000\t3500\tnot at all\tSPEAKER_01",
    ]


def test_words_before_the_first_speaker_get_that_speaker() -> None:
    words = [*timed("yes"), *timed("of course", 1, speaker="SPEAKER_01")]
    assert written("txt", [said("yes of course", 0, 2, words)]) == "SPEAKER_01: yes of course\n"


def test_vtt_has_word_timestamps() -> None:
    segment = said("hello <you> there", 1.0, 2.1, timed("hello <you> there", 1.0))
    assert "hello <00:00:01.400>&lt;you&gt; <00:00:01.800>there" in written("vtt", [segment])
    assert "<" not in written("vtt", [said("hello you", 1.0, 2.0)]), "interpolated times are not word times"


def test_long_pause_within_a_segment_starts_a_new_cue() -> None:
    words = [*timed("hello", 0), *timed("monday", 20)]
    first, second = srt.parse(written("srt", [said("hello monday", 0, 20.3, words)]))
    assert (first.end.total_seconds(), second.start.total_seconds()) == (0.3, 20.0)


@pytest.mark.parametrize("alphabet", ["日本語の文章がここに続いています。", "한국어", "ภาษาไทย", "e\u0301", "👩‍👩‍👧"])
def test_text_without_spaces_breaks_between_characters_only(alphabet: str) -> None:
    text = (alphabet * 60)[:240]
    cues = list(srt.parse(written("srt", [said(text, 0, 60)])))
    assert cues
    for cue in cues:
        for line in cue.content.split("\n"):
            assert not unicodedata.combining(line[0]) and line[0] not in "\u200d。" and line[-1] != "\u200d"


def test_cues_of_overlapping_segments_are_ordered_by_start() -> None:
    long, short = said("word " * 60, 0, 30), said("meanwhile", 10, 11)
    starts = [cue.start for cue in srt.parse(written("srt", [long, short]))]
    assert starts == sorted(starts) and len(starts) == 6


def test_no_cue_stays_longer_than_seven_seconds() -> None:
    for words in ([], timed("word " * 60, 0.0)):
        cues = list(srt.parse(written("srt", [said("word " * 60, 0, 120, words)])))
        assert max((cue.end - cue.start).total_seconds() for cue in cues) <= 7.0
        assert sum(len(cue.content.split()) for cue in cues) == 60


def test_silence_is_an_empty_file() -> None:
    assert written("srt", []) == written("txt", []) == ""
    assert written("vtt", []) == "WEBVTT\n\n"
    assert written("tsv", []) == "start\tend\ttext\tspeaker\n"
    assert written("srt", [said("  \n ", 0, 1)]) == ""


def test_json_is_the_unchanged_result() -> None:
    segments = [said("“ä” 字", 0, 1)]
    assert json.loads(written("json", segments)) == segments


def test_vad_results_are_json_or_tsv() -> None:
    assert set(list_writers("vad")) == {"json", "tsv", "textgrid", "eaf", "rttm", "audacity"}
    assert written("tsv", [{"start": 0.25, "end": 1.5}], "vad") == "start\tend\n250\t1500\n"
    assert set(list_writers("bgm-separation")) == {"json"}


def test_a_language_is_json_or_its_code_and_name() -> None:
    assert set(list_writers("detect_language")) == {"json", "txt"}
    found = '{"language_code": "ht", "language": "haitian creole", "confidence": 0.9}'
    assert list(list_writers("detect_language")["txt"](Source(found))) == ["ht haitian creole\n"]


def test_times_over_a_day_are_written_in_hours() -> None:
    assert written("srt", [said("late", 360_000.5, 360_001)]).splitlines()[1] == "100:00:00,500 --> 100:00:01,000"
