"""Recordings are decoded in blocks at a given sample rate and channel count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import mixtures, recordings
from workers.audio import media
from workers.device.run import Run

MakeRun = Callable[..., Run]
RATE = 44_100


def tone(hertz: float, level: float, seconds: float = 1.0, rate: int = RATE) -> mixtures.Sound:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def sound(run: Run, rate: int, channels: int) -> mixtures.Sound:
    with media.open_recording(run) as recording:
        return np.concatenate(list(recording.blocks(rate, channels)), axis=1)


def test_stereo_is_unchanged_at_its_own_rate(make_run: MakeRun, tmp_path: Path) -> None:
    made = np.stack([tone(440, 0.5), tone(1000, 0.25)])
    back = sound(make_run(mixtures.stereo_wav(tmp_path / "a.wav", made, RATE)), RATE, 2)
    assert back.shape == made.shape
    assert abs(back - made).max() < 1e-4


def test_resampling_keeps_length_and_level(make_run: MakeRun, tmp_path: Path) -> None:
    made = np.stack([tone(440, 0.5), tone(1000, 0.25)])
    back = sound(make_run(mixtures.stereo_wav(tmp_path / "a.wav", made, RATE)), 16_000, 2)
    wanted = np.stack([tone(440, 0.5, rate=16_000), tone(1000, 0.25, rate=16_000)])
    assert abs(back.shape[1] - wanted.shape[1]) <= 2
    inner = slice(1000, 15_000)
    assert mixtures.level(back[:, inner] - wanted[:, inner], wanted[:, inner]) < -50


def test_mono_is_copied_to_both_channels_at_its_own_level(make_run: MakeRun, tmp_path: Path) -> None:
    made = tone(440, 0.5)[None]
    back = sound(make_run(mixtures.stereo_wav(tmp_path / "a.wav", made, RATE)), RATE, 2)
    np.testing.assert_array_equal(back[0], back[1])
    assert abs(back[0] - made[0]).max() < 1e-4


def test_two_channels_become_their_mean(make_run: MakeRun, tmp_path: Path) -> None:
    made = np.stack([tone(440, 0.8), tone(440, 0.4)])
    back = sound(make_run(mixtures.stereo_wav(tmp_path / "a.wav", made, RATE)), RATE, 1)
    assert abs(back[0] - tone(440, 0.6)).max() < 1e-3


@pytest.mark.parametrize("channels", [3, 6])
def test_surround_is_mixed_to_stereo_without_clipping(make_run: MakeRun, tmp_path: Path, channels: int) -> None:
    made = np.repeat(tone(440, 0.99)[None], channels, axis=0)
    back = sound(make_run(mixtures.stereo_wav(tmp_path / "a.wav", made, RATE)), RATE, 2)
    assert back.shape == (2, RATE) and 0.5 < abs(back).max() <= 1.0


def test_progress_and_seconds_follow_the_blocks(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(recordings.wav(tmp_path / "a.wav", recordings.silence(3)))
    seen = []
    with media.open_recording(run) as recording:
        assert recording.declared == pytest.approx(3, abs=0.01)
        for _ in recording.blocks(RATE, 2):
            seen.append(recording.progress)
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1, abs=0.01)
    assert recording.seconds == pytest.approx(3, abs=0.001)


def test_errors_of_the_caller_are_not_reported_as_bad_media(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(recordings.wav(tmp_path / "a.wav", recordings.silence(1)))
    with pytest.raises(MemoryError), media.open_recording(run) as recording:
        for _ in recording.blocks(RATE, 2):
            raise MemoryError
