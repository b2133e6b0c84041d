"""Whisper base on difficult sound: noise, silence, a telephone, a language after noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from tests import recordings
from tests.real.speech import TELEPHONE, normalize, telephone_sentences
from tests.service import SAMPLES

Transcribe = Callable[..., Any]


def make_noise(seconds: float, decibels: float) -> Any:
    """White noise whose effective value is ``decibels`` below full scale."""
    noise = np.random.default_rng(0).standard_normal(int(seconds * recordings.RATE))
    return (noise * 32768 * 10 ** (decibels / 20)).astype(np.int16)


def test_noise_says_nothing(transcribe: Transcribe, tmp_path: Path) -> None:
    assert transcribe(recordings.wav(tmp_path / "noise.wav", make_noise(60, -54))) == []


def test_language_is_that_of_the_speech_after_noise(transcribe: Transcribe, tmp_path: Path) -> None:
    german = recordings.speech(SAMPLES / "german.flac")
    sound = np.concatenate([make_noise(40, -54), german])
    segments, run = transcribe(recordings.wav(tmp_path / "late.wav", sound), word_timestamps=False, with_run=True)
    assert run.facts["language"] == "de"
    assert segments and min(segment["start"] for segment in segments) >= 39.5


def test_telephone_is_understood_and_nothing_is_heard_after_its_end(transcribe: Transcribe) -> None:
    truth = normalize(" ".join(sentence.text for sentence in telephone_sentences()))
    for batch_size in (8, 1):
        segments = transcribe(TELEPHONE, lang="en", batch_size=batch_size, word_timestamps=False)
        text = normalize(" ".join(segment["text"] for segment in segments))
        assert jiwer.wer(truth, text) <= 0.3, text
        assert len(text.split()) <= 1.05 * len(truth.split())
