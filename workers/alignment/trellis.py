"""Find the most likely path of a text through the frames of a recording.

This is the Viterbi search of CTC segmentation (Kürzinger et al. 2020, "CTC-Segmentation of Large Corpora for German
End-to-End Speech Recognition", section 3.1), in the form that torchaudio's tutorial on forced alignment and whisperx 3.8
give it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Place(NamedTuple):
    """Where a label was found: its frames from ``start`` up to, but without, ``end``, and their mean probability."""

    start: int
    end: int
    score: float


def find_path(labels: Floats, blank: Floats) -> list[Place] | None:
    """Place each label of a text, in order.

    ``labels`` are the log probabilities of the text's labels, shape (frames, length of the text); ``blank`` those of the
    blank, shape (frames,). The first label may start and the last one end at any frame. Each label starts in the frame
    whose log probability of it counts; in its other frames, that of the blank counts. Returns None if the text does not
    fit into the frames.
    """
    trellis = fill_trellis(labels, blank)
    end = int(np.argmax(trellis[:, -1]))
    # a label moves on to the next one only if that is better; not a number is never better
    starts = _trace(trellis[1 : end + 1, 1:] > trellis[:end, 1:] + blank[:end, None])
    if starts is None:
        return None
    counted = blank[:end].copy()
    counted[starts] = labels[starts, range(len(starts))]
    scores = np.exp(counted, dtype=np.float64).astype(np.float32).tolist()  # as exact as torch, unlike exp in float32
    ends = [*starts[1:], end]
    return [Place(s, e, sum(scores[s:e]) / (e - s)) for s, e in zip(starts, ends, strict=True)]


def fill_trellis(labels: Floats, blank: Floats) -> Floats:
    """Return the score of the best way to have reached the n-th label after t frames, at [t, n].

    Both count from 1: [t, 0] is the score while no label has started, and [0, n] that of the start.
    """
    frames, count = labels.shape
    trellis = np.empty((frames + 1, count + 1), np.float32)
    trellis[0, 0] = 0
    trellis[0, 1:] = -np.inf
    trellis[1:, 0] = np.cumsum(blank, dtype=np.float64)  # torch, too, adds in double precision
    trellis[-count:, 0] = np.inf  # so late, the text would not fit: from there, the path goes back along the diagonal
    before, after, move = trellis[:-1, 1:], trellis[1:, 1:], trellis[:-1, :-1]
    moved = np.empty(count, np.float32)
    with np.errstate(invalid="ignore"):  # inf - inf is not a number, as in torch
        for same, previous, best, label, silence in zip(before, move, after, labels, blank[:, None], strict=True):
            np.add(same, silence, out=best)
            np.add(previous, label, out=moved)
            np.maximum(best, moved, out=best)
    return trellis


def _trace(moves: NDArray[np.bool_]) -> list[int] | None:
    """Return the frame in which each label starts, going back from the last frame; None without a path."""
    frames, count = moves.shape
    flat = moves.tobytes()
    starts: list[int] = []
    place = frames * count - 1
    while place >= 0:
        if flat[place]:
            starts.append(place // count)
            place -= 1
            if len(starts) == count:
                return starts[::-1]
        place -= count
    return None
