"""Mixing to one channel loses no speech, and no sample leaves [-1, 1]."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tests.mixtures import Sound, power
from workers.audio.mixing import Level, Mixer, to_floats

RATE = 16_000


def noise(seconds: float = 1.0, level: float = 0.1, seed: int = 0) -> Sound:
    return (np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * level).astype(np.float32)


def mix(sound: Sound, block: int = 1000) -> Sound:
    mixer = Mixer(len(sound))
    return np.concatenate([mixer.mix(sound[:, at : at + block]) for at in range(0, sound.shape[1], block)], axis=1)[0]


def test_unrelated_channels_become_their_mean() -> None:
    both = np.stack([noise(seed=1), noise(seed=2)])
    np.testing.assert_allclose(mix(both), both.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("gain", [-1.0, -0.8, -1.2, -0.6])
def test_channels_in_opposite_phase_keep_their_level(gain: float) -> None:
    left = noise()
    mixed = mix(np.stack([left, gain * left]))
    np.testing.assert_allclose(mixed, left * (1 - gain) / 2, atol=1e-6)


def test_opposite_phase_of_a_pure_tone_is_found() -> None:
    tone = np.sin(2 * np.pi * 4000 * np.arange(RATE) / RATE).astype(np.float32)
    assert power(mix(np.stack([tone, -tone]))) == pytest.approx(power(tone), rel=0.1)


def test_opposite_phase_is_found_beside_unrelated_noise() -> None:
    speech = noise(level=0.2)
    mixed = mix(np.stack([speech + noise(level=0.02, seed=1), -speech + noise(level=0.02, seed=2)]))
    assert power(mixed) == pytest.approx(power(speech), rel=0.1)


def test_opposite_phase_among_four_channels_is_found() -> None:
    speech = noise()
    np.testing.assert_allclose(mix(np.stack([speech, -speech, speech, -speech])), speech, atol=1e-6)


def test_phase_that_changes_within_a_recording_is_followed() -> None:
    speech = noise(10)
    turned = speech.copy()
    turned[3 * RATE : 6 * RATE] *= -1
    mixed = mix(np.stack([speech, turned]))
    for start in (0, 4, 8):
        part = slice(start * RATE, (start + 2) * RATE)
        assert power(mixed[part]) == pytest.approx(power(speech[part]), rel=0.1)


@pytest.mark.parametrize("channels", [2, 3, 24, 64])
def test_channels_that_were_never_used_do_not_count(channels: int) -> None:
    sound = np.zeros((channels, RATE), np.float32)
    sound[channels // 2] = noise()
    np.testing.assert_allclose(mix(sound), sound[channels // 2], atol=1e-6)


def test_digital_silence_stays_silent() -> None:
    assert not mix(np.zeros((2, RATE), np.float32)).any()


@pytest.mark.parametrize("decibels", [3, 6, 12, 18, 30])
def test_sound_beyond_full_scale_is_turned_down_and_not_clipped(decibels: float) -> None:
    sound = np.stack([noise(4, level=0.2).clip(-0.9, 0.9)])
    loud = sound * np.float32(10 ** (decibels / 20))
    level = Level(RATE)
    limited = np.concatenate([level.limit(loud[:, at : at + RATE]) for at in range(0, 4 * RATE, RATE)], axis=1)
    assert abs(limited).max() <= 1.0
    later = limited[0, RATE:]
    assert np.corrcoef(later, sound[0, RATE:])[0, 1] > 0.999


def test_level_is_kept_below_full_scale_and_never_rises_again() -> None:
    level = Level(RATE)
    quiet = np.stack([noise(level=0.1)])
    np.testing.assert_array_equal(level.limit(quiet), quiet)
    level.limit(quiet * 40)
    turned = level.limit(quiet)
    assert power(turned) < power(quiet) / 5
    np.testing.assert_array_equal(level.limit(quiet), turned)


def test_few_samples_beyond_full_scale_are_clipped_alone() -> None:
    sound = np.stack([noise()])
    sound[0, 5000:5010] = 60
    limited = Level(RATE).limit(sound.copy())
    assert abs(limited).max() == 1.0
    np.testing.assert_array_equal(limited[0, 6000:], sound[0, 6000:])


@pytest.mark.parametrize(
    ("form", "dtype", "zero", "full"),
    [("u8", np.uint8, 128, 64), ("s16", np.int16, 0, 2**14), ("s32", np.int32, 0, 2**30), ("flt", np.float32, 0, 0.5)],
)
def test_samples_of_every_format_become_floats(form: str, dtype: type, zero: float, full: float) -> None:
    packed = np.array([[zero, zero + full, zero - full, zero]], dtype)
    floats = to_floats(av.AudioFrame.from_ndarray(packed, format=form, layout="stereo"))
    np.testing.assert_array_equal(floats, np.array([[0, -0.5], [0.5, 0]], np.float32))


def test_damaged_floats_become_silence() -> None:
    planes = np.array([[np.nan, np.inf, -np.inf, 1e30, 0.5]], np.float32)
    floats = to_floats(av.AudioFrame.from_ndarray(planes, format="fltp", layout="mono"))
    np.testing.assert_array_equal(floats, np.array([[0, 0, 0, 0, 0.5]], np.float32))
