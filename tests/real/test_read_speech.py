"""Three minutes of read speech on Whisper base: nothing is lost in any mode, and sentences have their times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from app.formats.cues import make_cues
from tests.real.speech import Sentence, cut_read_speech, normalize, read_sentences
from tests.workers.conftest import SLOT

Segments = list[dict[str, Any]]
Transcribe = Callable[..., Segments]

MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "untimed": {"word_timestamps": False},
    "filtered": {"vad_filter": True, "word_timestamps": False},
    "sequential": {"batch_size": 1, "word_timestamps": False},
}
CHANCE = 4  # words that one way of cutting the sound hears and another does not


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return read_sentences(180.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, sentences: list[Sentence]) -> Path:
    return cut_read_speech(tmp_path_factory.mktemp("read"), sentences)


@pytest.fixture(scope="module")
def results(transcribe: Transcribe, recording: Path) -> dict[str, Segments]:
    return {name: transcribe(recording, lang="en", **asked) for name, asked in MODES.items()}


@pytest.fixture(scope="module")
def stock(base_model: Path, recording: Path) -> str:
    """What whisperX makes of it, with the same weights."""
    import whisperx

    model = whisperx.load_model(
        str(base_model), "cpu", compute_type="int8", language="en", vad_method="pyannote", threads=SLOT.threads
    )
    found = model.transcribe(whisperx.load_audio(str(recording)), batch_size=8)["segments"]
    return " ".join(segment["text"] for segment in found)


def compare(sentences: list[Sentence], text: str) -> jiwer.WordOutput:
    return jiwer.process_words(normalize(" ".join(sentence.text for sentence in sentences)), normalize(text))


def joined(segments: Segments) -> str:
    return " ".join(segment["text"] for segment in segments)


def test_default_hears_as_much_as_whisperx(results: dict[str, Segments], sentences: list[Sentence], stock: str) -> None:
    ours, theirs = compare(sentences, joined(results["default"])), compare(sentences, stock)
    assert ours.deletions <= theirs.deletions + CHANCE
    words = sum(map(len, ours.references))
    assert words * ours.wer <= words * theirs.wer + CHANCE


def test_no_mode_loses_words(results: dict[str, Segments], sentences: list[Sentence]) -> None:
    lost = {name: compare(sentences, joined(segments)).deletions for name, segments in results.items()}
    assert max(lost.values()) <= 1.2 * min(lost.values()) + CHANCE, lost


@pytest.mark.parametrize("mode", ["default", "untimed"])
def test_sentences_start_where_they_are_spoken(
    results: dict[str, Segments], sentences: list[Sentence], mode: str
) -> None:
    starts = np.array([segment["start"] for segment in results[mode]])
    errors = [float(np.abs(starts - sentence.start).min()) for sentence in sentences]
    assert np.median(errors) <= 0.2 and np.percentile(errors, 90) <= 0.5, errors


def test_words_without_an_aligner_lie_in_their_sentences(transcribe: Transcribe, tmp_path: Path) -> None:
    few = read_sentences(40.0)
    segments = transcribe(cut_read_speech(tmp_path, few), lang="en", aligned=False)
    words = [word for segment in segments for word in segment["words"]]
    assert jiwer.wer(normalize(joined(segments)), normalize(" ".join(word["word"] for word in words))) == 0
    firsts = np.array([segment["words"][0]["start"] for segment in segments])
    assert max(float(np.abs(firsts - sentence.start).min()) for sentence in few) <= 0.5
    cues = list(make_cues(segments))
    assert max(cue.end - cue.start for cue in cues) <= 7000
