"""The mini aligner finds words where they are, in both languages, known voices and new ones, through the product's stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import recordings
from tests.service import MINI
from workers.run import Run
from workers.segments import Segment
from workers.stages import align
from workers.stages.decode import SAMPLE_RATE, decode

MEDIAN_MS, MOST_MS, SHARE = 40, 120, 0.95
WORDS = MINI / "samples" / "words"
LINE = 5  # words, then the next voice


def segment(words: list[dict[str, Any]], start: float, end: float) -> Segment:
    text = " ".join(word["word"] for word in words)
    figures = {"temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    return Segment(id=0, start=start, end=end, text=text, speaker=None, words=[], seek=0, tokens=[], **figures)  # type: ignore[typeddict-item]


def errors(make_run: Callable[..., Run], language: str, lines: bool) -> NDArray[np.float64]:
    """By how many ms each word's start and end were found too late, the text given as a whole or line by line."""
    truth = json.loads((WORDS / f"{language}.json").read_text())
    run = make_run(WORDS / f"{language}.flac")
    samples = decode(run)
    said = [truth[number : number + LINE] for number in range(0, len(truth), LINE)] if lines else [truth]
    seconds = len(samples) / SAMPLE_RATE
    segments = [
        segment(words, max(0.0, words[0]["start"] - 0.3), min(seconds, words[-1]["end"] + 0.3)) for words in said
    ]
    aligned = align.align(segments, samples, run.models.aligner(language), lambda tokens: "", run)
    found = [word for sentence in aligned for word in sentence["words"]]
    assert [word["word"] for word in found] == [word["word"] for word in truth] and run.warnings == []
    assert all(0 <= word["probability"] <= 1 for word in found)
    pairs = zip(found, truth, strict=True)
    return 1000 * np.array([(word["start"] - true["start"], word["end"] - true["end"]) for word, true in pairs])


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "whole"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_words_start_and_end_where_they_were_spoken(make_run: Callable[..., Run], language: str, lines: bool) -> None:
    found = errors(make_run, language, lines)
    assert np.median(abs(found)) <= MEDIAN_MS
    assert np.mean(abs(found) <= MOST_MS) >= SHARE
    assert np.all(abs(np.median(found, axis=0)) <= MEDIAN_MS)  # neither starts nor ends lean to one side


def test_fixed_recordings_are_as_long_as_their_words_say() -> None:
    for language in ("en", "de"):
        truth = json.loads((WORDS / f"{language}.json").read_text())
        seconds = len(recordings.speech(WORDS / f"{language}.flac")) / recordings.RATE
        assert len(truth) == 20 and 0 < seconds - truth[-1]["end"] < 1.3
