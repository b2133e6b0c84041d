"""Windows cover the recording, respect the maximum length, and are cut at quiet places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.core.params import VadOptions
from tests import recordings
from tests.service import SAMPLE
from workers.audio.decode import SAMPLE_RATE
from workers.audio.windows import cut_at_quiet, group_speech

VAD = VadOptions(min_silence_duration_ms=500, speech_pad_ms=200)


def sample() -> Any:
    return recordings.speech(SAMPLE).astype(np.float32) / 32768


@pytest.mark.parametrize("longest", [1.0, 5.0, 30.0])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 29.99, 30.0, 30.01, 61.3])
def test_windows_cover_everything_and_are_never_too_long(longest: float, seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32)
    windows = cut_at_quiet(noise, longest)
    assert windows[0][0] == 0.0 and windows[-1][1] == pytest.approx(seconds, abs=0.03)
    assert all(end - start <= longest + 1e-9 for start, end in windows)
    assert all(a[1] == b[0] for a, b in zip(windows, windows[1:], strict=False))


def test_cuts_are_in_pauses() -> None:
    samples = sample()
    cuts = [end for _, end in cut_at_quiet(samples, 8.0)[:-1]]
    assert cuts
    for cut in cuts:
        around = samples[int((cut - 0.02) * SAMPLE_RATE) : int((cut + 0.04) * SAMPLE_RATE)]
        assert abs(around).max() < 0.02


def test_speech_windows_use_times_of_the_recording() -> None:
    late = np.concatenate([np.zeros(10 * SAMPLE_RATE, np.float32), sample()])
    (first, *_) = group_speech(late, VAD, 8.0)
    assert first[0] == pytest.approx(10.4, abs=0.4)


def test_speech_windows_skip_silence_and_respect_the_maximum() -> None:
    gap = np.zeros(40 * SAMPLE_RATE, np.float32)
    windows = group_speech(np.concatenate([sample(), gap, sample()]), VAD, 8.0)
    assert windows and all(end - start <= 8.0 for start, end in windows)
    assert not any(start < 50 and end > 25 for start, end in windows)


def test_silence_has_no_speech_windows() -> None:
    assert group_speech(np.zeros(5 * SAMPLE_RATE, np.float32), VAD, 30.0) == []
