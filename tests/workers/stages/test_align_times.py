"""The mini aligner finds the times of words in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.service import MINI
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages import align
from workers.stages.segments import Segment

SAMPLES = MINI / "samples"
RECORDINGS = {"short": 22, "german": 31}  # with their number of words
MEDIAN_MS, MOST_MS, SHARE = 40, 120, 0.95
AROUND = 0.3  # seconds of pause that a decoder's window has on both sides


def segment(words: list[dict[str, Any]], seconds: float) -> Segment:
    """A segment from the decoder with the right ``words`` and rough times."""
    start, end = max(0.0, words[0]["start"] - AROUND), min(seconds, words[-1]["end"] + AROUND)
    text = " ".join(word["word"] for word in words)
    figures = {"temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    return Segment(id=0, start=start, end=end, text=text, speaker=None, words=[], seek=0, tokens=[], **figures)  # type: ignore[typeddict-item]


def lines(truth: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The words of each turn."""
    return [
        [word for word in truth["words"] if turn["start"] <= word["start"] < turn["end"]] for turn in truth["turns"]
    ]


def errors(make_run: Callable[..., Run], name: str, whole: bool) -> NDArray[np.float64]:
    """How many ms too late each word's start and end were found, with the text whole or turn by turn."""
    truth = json.loads((SAMPLES / f"{name}.json").read_text())
    run = make_run(SAMPLES / f"{name}.flac")
    samples = decode(run)
    said = [truth["words"]] if whole else lines(truth)
    segments = [segment(words, len(samples) / SAMPLE_RATE) for words in said]
    aligned = align.align(segments, samples, run.models.aligner(truth["language"]), lambda tokens: "", list, run)
    found = [word for sentence in aligned for word in sentence["words"]]
    assert len(found) == RECORDINGS[name] and run.warnings == []
    assert [word["word"] for word in found] == [word["word"] for word in truth["words"]]
    assert all(0 <= word["probability"] <= 1 for word in found)
    pairs = zip(found, truth["words"], strict=True)
    return 1000 * np.array([(word["start"] - true["start"], word["end"] - true["end"]) for word, true in pairs])


@pytest.mark.parametrize(
    ("name", "whole"),
    [("short", False), ("short", True), ("german", False), ("german", True)],
)
def test_words_start_and_end_where_they_were_spoken(make_run: Callable[..., Run], name: str, whole: bool) -> None:
    found = errors(make_run, name, whole)
    assert np.median(abs(found)) <= MEDIAN_MS
    assert np.mean(abs(found) <= MOST_MS) >= SHARE
    assert np.all(abs(np.median(found, axis=0)) <= MEDIAN_MS)  # neither starts nor ends are shifted
