"""Waveforms show the extremes of each tenth of a second, and stay small."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from workers.audio.waveform import MOST_POINTS, Waveform

RATE = 16_000


def drawn(*sounds: Any, rate: int = RATE) -> dict[str, Any]:
    waveform = Waveform(rate)
    for sound in sounds:
        waveform.add(np.atleast_2d(np.asarray(sound, np.float32)))
    drawn: dict[str, Any] = json.loads(waveform.write_json())
    return drawn


def test_point_holds_the_lowest_and_highest_sample() -> None:
    sound = np.zeros(3200, np.float32)
    sound[10], sound[20], sound[1600] = 0.5, -0.25, 1.0
    assert drawn(sound) == {
        "version": 2,
        "channels": 1,
        "sample_rate": RATE,
        "samples_per_pixel": 1600,
        "bits": 8,
        "length": 2,
        "data": [-32, 64, 0, 127],
    }


def test_pieces_make_the_same_waveform_as_the_whole() -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 50_001).astype(np.float32)
    whole = drawn(sound)
    assert whole["length"] == 32 and len(whole["data"]) == 64
    for size in (1, 999, 1600, 20_000):
        some = sound if size > 1 else sound[:3000]
        pieces = [some[start : start + size] for start in range(0, len(some), size)]
        assert drawn(*pieces) == drawn(some)


def test_all_channels_count() -> None:
    stereo = np.zeros((2, 1600), np.float32)
    stereo[0, 5], stereo[1, 6] = 0.5, -1.0
    assert drawn(stereo)["data"] == [-127, 64]


def test_sound_beyond_full_scale_is_clipped() -> None:
    assert drawn([-3.0, 2.0])["data"] == [-127, 127]


@pytest.mark.parametrize(("points", "joined"), [(MOST_POINTS, 1), (MOST_POINTS + 1, 2), (4 * MOST_POINTS, 4)])
def test_long_recording_has_a_bounded_number_of_points(points: int, joined: int) -> None:
    rate = 100  # ten samples a point, so that the test is quick
    sound = np.zeros(10 * points, np.float32)
    sound[-1] = 0.5
    waveform = drawn(sound, rate=rate)
    assert waveform["samples_per_pixel"] == 10 * joined
    assert waveform["length"] == -(-points // joined) <= MOST_POINTS
    assert len(waveform["data"]) == 2 * waveform["length"] and waveform["data"][-1] == 64


def test_no_sound_is_no_point() -> None:
    assert (drawn()["length"], drawn()["data"]) == (0, [])
