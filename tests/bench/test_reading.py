"""Recordings for benchmarks: their length, their order, and the text that is spoken in them."""

from __future__ import annotations

from pathlib import Path

from bench import reading
from tests import recordings
from tests.real.speech import read_sentences

PACE = reading.PAUSE_SECONDS


def seconds(sentences: list[reading.Sentence]) -> float:
    return sum(sentence.end - sentence.start + PACE for sentence in sentences)


def test_repeated_sentences_last_as_long_as_asked_and_change_their_order() -> None:
    read = read_sentences(3600.0)
    chosen = reading.repeat_sentences(900.0)
    assert 890.0 < seconds(chosen) <= 900.0
    assert chosen[: len(read)] == read
    second = chosen[len(read) : 2 * len(read)]
    assert second != read and sorted(second) == sorted(read)
    assert chosen == reading.repeat_sentences(900.0)


def test_benchmark_clips_differ_and_have_their_length() -> None:
    clips = reading.choose_clips(64, 3.0, 10.0)
    assert all(3.0 <= seconds(clip) <= 10.0 for clip in clips)
    assert len({reading.join_text(clip) for clip in clips}) == 64
    assert clips == reading.choose_clips(64, 3.0, 10.0)


def test_written_speech_has_the_length_of_its_sentences(tmp_path: Path) -> None:
    (clip,) = reading.choose_clips(1, 9.0, 10.0)
    sound = recordings.speech(reading.write_speech(tmp_path / "clip.flac", clip))
    assert abs(len(sound) / recordings.RATE - seconds(clip)) < 0.01
