"""The trellis and the path through it are whisperx's, on any emissions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import whisperx.alignment
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workers.alignment.trellis import fill_trellis, find_path

LABELS = 6
WORST = {"-inf": -np.inf, "nan": np.nan}


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray[np.float32], list[int], int]:
    """Emissions, the labels of a text, and the blank: long and short, with ties, and at times with broken frames."""
    frames, count = draw(st.integers(1, 60)), draw(st.integers(1, 30))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.0, 1.0, 5.0, 50.0]))
    logits = torch.from_numpy(scale * random.standard_normal((frames, LABELS)).astype(np.float32))
    if draw(st.booleans()):
        logits = logits.round()  # ties
    emissions = torch.log_softmax(logits, dim=-1).numpy()
    if draw(st.integers(0, 9)) == 0:
        broken = random.integers(frames, size=draw(st.integers(1, 3)))
        emissions[broken] = WORST[draw(st.sampled_from(sorted(WORST)))]
    return emissions, random.integers(LABELS, size=count).tolist(), draw(st.integers(0, LABELS - 1))


@settings(max_examples=300, deadline=None)
@given(problems())
def test_trellis_and_path_are_those_of_whisperx(problem: tuple[NDArray[np.float32], list[int], int]) -> None:
    emissions, tokens, blank = problem
    tensor = torch.from_numpy(emissions)
    trellis = whisperx.alignment.get_trellis(tensor, tokens, blank)
    assert np.array_equal(fill_trellis(emissions[:, tokens], emissions[:, blank]), trellis.numpy(), equal_nan=True)

    path = whisperx.alignment.backtrack(trellis, tensor, tokens, blank)
    found = find_path(emissions[:, tokens], emissions[:, blank])
    if path is None:
        assert found is None
        return
    assert found is not None
    merged = whisperx.alignment.merge_repeats(path, "x" * len(tokens))
    assert [(place.start, place.end) for place in found] == [(place.start, place.end) for place in merged]
    scores = [[place.score for place in side] for side in (found, merged)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-6)


def test_text_takes_one_frame_for_each_label_at_least() -> None:
    sure = np.zeros((3, 3), np.float32)
    found = find_path(sure, np.full(3, -9, np.float32))
    assert found == [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)]
    assert find_path(sure[:2], np.zeros(2, np.float32)) is None
    assert find_path(sure[:0], np.zeros(0, np.float32)) is None


def test_blank_counts_in_the_frames_after_a_label() -> None:
    labels = np.log(np.array([[1e-9, 1e-9], [0.8, 1e-9], [1e-9, 1e-9], [1e-9, 0.5], [1e-9, 1e-9]], np.float32))
    blank = np.log(np.array([0.9, 0.1, 0.6, 0.1, 1e-9], np.float32))
    found = find_path(labels, blank)
    assert found is not None and [(place.start, place.end) for place in found] == [(1, 3), (3, 4)]
    assert [place.score for place in found] == pytest.approx([(0.8 + 0.6) / 2, 0.5])
