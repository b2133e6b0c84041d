"""Segments become sentences with words; one that cannot be aligned does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import nltk
import numpy as np
import pytest
import torch

from tests.service import SAMPLE
from workers.device.run import Run
from workers.stages import align
from workers.stages.segments import Segment
from workers.stages.sentences import split_sentences

LETTERS = {"[pad]": 0, "|": 1, "a": 2, "b": 3}
FRAME = 320  # samples
SAMPLES = np.zeros(100 * FRAME, np.float32)  # 2 s
Inputs = list[int]


def make_aligner(*errors: Exception | None) -> tuple[Any, Inputs]:
    """An aligner whose network is sure of nothing, and the frames of each call; the n-th call raises the n-th error."""
    inputs: Inputs = []

    def network(batch: torch.Tensor) -> Any:
        inputs.append(batch.shape[1] // FRAME)
        if len(inputs) <= len(errors) and (error := errors[len(inputs) - 1]) is not None:
            raise error
        return SimpleNamespace(logits=torch.zeros(1, inputs[-1], len(LETTERS)))

    return (network, {"language": "en", "dictionary": LETTERS, "type": "huggingface"}), inputs


def make_segment(text: str, start: float, end: float) -> Segment:
    figures = {"temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    return Segment(id=0, start=start, end=end, text=text, speaker=None, words=[], seek=0, tokens=[], **figures)  # type: ignore[typeddict-item]


def run_align(segments: list[Segment], aligner: Any, run: Run, threads: int = 1) -> list[Segment]:
    run.slot = replace(run.slot, threads=threads)
    return align.align(segments, SAMPLES, aligner, lambda tokens: "", list, run)


def test_segment_with_an_error_is_left_out_and_the_others_are_aligned(make_run: Callable[..., Run]) -> None:
    run, (aligner, inputs) = make_run(SAMPLE), make_aligner(RuntimeError("broken"), RuntimeError("broken"))
    segments = [make_segment("ab a", 0.2, 1.0), make_segment("abba. Baab.", 1.0, 2.0)]
    aligned = run_align(segments, aligner, run)
    assert [(segment["text"], len(segment["words"])) for segment in aligned] == [
        ("ab a", 0),
        ("abba.", 1),
        ("Baab.", 1),
    ]
    assert run.warnings == ["1 of 2 segments could not be aligned; their word times are Whisper's own."]
    assert inputs == [40, 50, 50]


def test_second_try_reaches_to_the_neighbours(make_run: Callable[..., Run]) -> None:
    run, (aligner, inputs) = make_run(SAMPLE), make_aligner()
    segments = [make_segment("a", 0.2, 0.4), make_segment("abababab", 0.5, 0.6), make_segment("b", 1.6, 1.8)]
    aligned = run_align(segments, aligner, run)
    assert [len(segment["words"]) for segment in aligned] == [1, 1, 1] and run.warnings == []
    assert inputs == [10, 5, 55, 10]
    assert all(0.5 <= word["start"] <= word["end"] <= 1.6 for word in aligned[1]["words"])


@pytest.mark.parametrize(("text", "start", "end"), [("", 1.0, 2.0), (" ", 1.0, 2.0), ("a", 2.0, 3.0), ("a", 2.0, 2.0)])
def test_network_does_not_run_in_vain(make_run: Callable[..., Run], text: str, start: float, end: float) -> None:
    run, (aligner, inputs) = make_run(SAMPLE), make_aligner()
    aligned = run_align([make_segment("a", 0.0, 1.0), make_segment(text, start, end)], aligner, run)
    assert [len(segment["words"]) for segment in aligned] == [1, 0] and len(run.warnings) == 1
    assert inputs == [50]


def test_same_span_is_not_tried_twice(make_run: Callable[..., Run]) -> None:
    run, (aligner, inputs) = make_run(SAMPLE), make_aligner()
    assert run_align([make_segment("ab" * 60, 0.0, 2.0)], aligner, run)[0]["words"] == []
    assert inputs == [100]


@pytest.mark.parametrize("message", ["CUDA error: an illegal memory access", "CUDA out of memory"])
def test_errors_of_the_device_end_the_run(make_run: Callable[..., Run], message: str) -> None:
    run, (aligner, inputs) = make_run(SAMPLE), make_aligner(RuntimeError(message))
    with pytest.raises(RuntimeError, match=message):
        run_align([make_segment("a", 0.0, 1.0), make_segment("b", 1.0, 2.0)], aligner, run)
    assert inputs == [50]


def test_segments_are_aligned_side_by_side_in_order(make_run: Callable[..., Run]) -> None:
    words = "ab ba aab bba abba baab aaa bbb".split()
    segments = [make_segment(word, at / 4, at / 4 + 0.25) for at, word in enumerate(words)]
    alone, beside = (run_align(segments, make_aligner()[0], make_run(SAMPLE), threads) for threads in (1, 3))
    assert alone == beside and [segment["text"] for segment in beside] == words


def test_segments_are_aligned_one_by_one_after_a_lack_of_memory(make_run: Callable[..., Run]) -> None:
    first = make_run(SAMPLE)
    run, (aligner, inputs) = first.for_last_attempt(first.job), make_aligner()
    segments = [make_segment("a", at, at + 0.1 * (at + 1)) for at in (0.0, 0.5, 1.0)]
    run_align(segments, aligner, run, threads=4)
    assert inputs == [5, 7, 10] and run.warnings == []


def test_lack_of_memory_in_the_last_run_costs_only_word_times(make_run: Callable[..., Run]) -> None:
    first = make_run(SAMPLE)
    run, (aligner, _) = first.for_last_attempt(first.job), make_aligner(*[RuntimeError("CUDA out of memory")] * 2)
    aligned = run_align([make_segment("a", 0.2, 1.0), make_segment("b", 1.0, 2.0)], aligner, run)
    assert [len(segment["words"]) for segment in aligned] == [0, 1]


def test_progress_is_that_of_the_segments(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run, (aligner, _) = make_run(SAMPLE), make_aligner()
    advanced: list[float] = []
    monkeypatch.setattr(run, "advance", advanced.append)
    run_align([make_segment("a", at, at + 0.5) for at in (0.0, 0.5, 1.0, 1.5)], aligner, run)
    assert advanced == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("language", ["en", "de", "fr", "ja", "xx"])
def test_sentence_rules_need_no_file_in_any_language(language: str) -> None:
    assert split_sentences("One two. Three four.", language) == [(0, 8), (9, 20)]


def test_alignment_never_asks_nltk_for_data(transcribed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("NLTK was asked for data")

    monkeypatch.setattr(nltk, "download", forbidden)
    monkeypatch.setattr(nltk.data, "find", forbidden)
    segments, _ = transcribed(SAMPLE)
    assert segments and all(segment["words"] for segment in segments)


def test_abbreviations_do_not_end_a_sentence() -> None:
    assert len(split_sentences("Dr. Smith came at 5 p.m. sharp. He left.", "en")) == 2
    assert len(split_sentences("Das ist z.B. ein Test. Gut.", "de")) == 2
