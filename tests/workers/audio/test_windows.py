"""Windows cover the recording, respect the maximum length, and are cut at quiet places."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from app.core.params import VadOptions
from tests import recordings
from tests.conftest import TESTS
from tests.service import SAMPLE
from workers.audio.decode import SAMPLE_RATE
from workers.audio.windows import Window, cut_at_quiet, follow_speech, group_speech

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


def assert_covered(windows: list[Window], seconds: float, longest: float) -> None:
    """Nothing is left out but what is shorter than a word, and no window is too long."""
    times = [0.0, *(time for window in windows for time in window[:2]), seconds]
    assert all(after - before >= -1e-6 for before, after in itertools.pairwise(times))
    assert all(after - before <= 0.1 for before, after in zip(times[::2], times[1::2], strict=True))
    assert all(window.end - window.start <= longest + 1e-6 for window in windows)


@pytest.mark.parametrize("longest", [2.0, 4.0, 30.0])
def test_windows_that_follow_speech_cover_everything(longest: float) -> None:
    gap = np.random.default_rng(0).normal(0, 1e-3, 12 * SAMPLE_RATE).astype(np.float32)
    samples = np.concatenate([gap, sample(), gap, sample()])
    windows = follow_speech(samples, longest)
    assert_covered(windows, len(samples) / SAMPLE_RATE, longest)
    heard = [window for window in windows if window.speech]
    assert heard and not any(window.start < 10 or (window.start < 36 and window.end > 46) for window in heard)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 5.0, 61.0])
def test_recordings_without_speech_are_covered_as_well(seconds: float) -> None:
    windows = follow_speech(np.zeros(int(seconds * SAMPLE_RATE), np.float32), 30.0)
    assert_covered(windows, seconds, 30.0)
    assert not any(window.speech for window in windows)


def test_a_much_quieter_voice_has_its_own_window() -> None:
    read = recordings.speech(TESTS / "real" / "read_speech.opus")
    voice = read[: 8 * SAMPLE_RATE].astype(np.float32) / 32768
    pause = np.zeros(SAMPLE_RATE, np.float32)

    def count(level: float) -> int:
        windows = follow_speech(np.concatenate([voice, pause, voice * np.float32(level)]), 30.0)
        return sum(window.speech for window in windows)

    assert (count(1.0), count(0.02)) == (1, 2)
