"""Cutting audio into overlapping windows and joining them gives the same audio."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from workers.audio.overlap import Sound, join_windows, split_windows

LENGTH, OVERLAP = 100, 20


def noise(samples: int) -> Sound:
    return np.random.default_rng(samples).standard_normal((2, samples)).astype(np.float32)


def in_blocks(sound: Sound, size: int) -> Iterator[Sound]:
    for start in range(0, sound.shape[1], size):
        yield sound[:, start : start + size]


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
@pytest.mark.parametrize("samples", [1, 19, 99, 100, 101, 180, 181, 457])
def test_cut_and_joined_audio_is_unchanged(samples: int, size: int) -> None:
    sound = noise(samples)
    parts = ((window.copy(), last) for window, last in split_windows(in_blocks(sound, size), LENGTH, OVERLAP))
    back = np.concatenate(list(join_windows(parts, OVERLAP)), axis=1)
    assert back.shape == sound.shape
    np.testing.assert_allclose(back, sound, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 100, 101, 457])
def test_windows_have_the_right_length_and_overlap_and_one_is_last(samples: int) -> None:
    sound = noise(samples)
    cut = list(split_windows(in_blocks(sound, 33), LENGTH, OVERLAP))
    assert [last for _, last in cut] == [False] * (len(cut) - 1) + [True]
    assert all(window.shape[1] <= LENGTH for window, _ in cut)
    assert all(window.shape[1] > OVERLAP for window, _ in cut[1:])
    for (before, _), (after, _) in zip(cut, cut[1:], strict=False):
        np.testing.assert_array_equal(before[:, -OVERLAP:], after[:, :OVERLAP])


def test_windows_are_crossfaded() -> None:
    parts = [(np.ones((1, LENGTH), np.float32), False), (np.zeros((1, LENGTH), np.float32), True)]
    seam = np.concatenate(list(join_windows(iter(parts), OVERLAP)), axis=1)[0]
    steps = np.diff(seam)
    assert seam[0] == 1 and seam[-1] == 0 and (steps <= 0).all() and abs(steps).max() < 2 / OVERLAP


def test_empty_input_gives_no_windows() -> None:
    assert list(join_windows(split_windows(iter([]), LENGTH, OVERLAP), OVERLAP)) == []


def test_memory_is_bounded_by_a_window_and_a_block() -> None:
    taken = 0

    def blocks() -> Iterator[Sound]:
        nonlocal taken
        for _ in range(100):
            taken += 10
            yield np.zeros((2, 10), np.float32)

    for number, (window, _) in enumerate(split_windows(blocks(), LENGTH, OVERLAP)):
        assert taken <= number * (LENGTH - OVERLAP) + window.shape[1] + 10
