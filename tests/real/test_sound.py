"""Whisper base on difficult sound: noise, silence, a telephone, a language after noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from tests import recordings
from tests.real.speech import READ, TELEPHONE, normalize, read_sentences, telephone_sentences
from tests.recordings import RATE

Transcribe = Callable[..., Any]


def make_noise(seconds: float, decibels: float) -> Any:
    """White noise whose effective value is ``decibels`` below full scale."""
    noise = np.random.default_rng(0).standard_normal(int(seconds * recordings.RATE))
    return (noise * 32768 * 10 ** (decibels / 20)).astype(np.int16)


def test_noise_says_nothing(transcribe: Transcribe, tmp_path: Path) -> None:
    assert transcribe(recordings.wav(tmp_path / "noise.wav", make_noise(60, -54))) == []


def test_language_is_that_of_the_speech_after_noise(transcribe: Transcribe, tmp_path: Path) -> None:
    speech = recordings.speech(READ.with_suffix(".opus"))[: 10 * RATE]
    sound = np.concatenate([make_noise(40, -54), speech])
    segments, run = transcribe(recordings.wav(tmp_path / "late.wav", sound), word_timestamps=False, with_run=True)
    assert run.facts["language"] == "en"
    assert segments and min(segment["start"] for segment in segments) >= 39.5


def test_telephone_is_understood_and_nothing_is_heard_after_its_end(transcribe: Transcribe) -> None:
    truth = normalize(" ".join(sentence.text for sentence in telephone_sentences()))
    for batch_size in (8, 1):
        segments = transcribe(TELEPHONE, lang="en", batch_size=batch_size, word_timestamps=False)
        text = normalize(" ".join(segment["text"] for segment in segments))
        assert jiwer.wer(truth, text) <= 0.3, text
        assert len(text.split()) <= 1.05 * len(truth.split())


def test_quiet_voice_beside_a_loud_one_is_heard(transcribe: Transcribe, tmp_path: Path) -> None:
    """The second speaker is 34 dB quieter, far from the microphone."""
    first, second = read_sentences(30.0)[:2], read_sentences(60.0)[5:7]
    sound = recordings.speech(READ.with_suffix(".opus"))
    loud, quiet = (sound[int(one[0].start * RATE) : int(one[-1].end * RATE)] for one in (first, second))
    pause = recordings.silence(4)
    whole = np.concatenate([loud, pause, (quiet * 0.02).astype(np.int16), pause])
    segments = transcribe(recordings.wav(tmp_path / "quiet.wav", whole), lang="en", word_timestamps=False)
    text = normalize(" ".join(segment["text"] for segment in segments))
    truth = normalize(" ".join(sentence.text for sentence in (*first, *second)))
    assert jiwer.process_words(truth, text).deletions <= 3, text
