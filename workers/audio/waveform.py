"""Reduce sound to a waveform: the lowest and highest sample of each tenth of a second.

The format is that of audiowaveform, JSON version 2, with 8 bits; see its DATA_FORMAT.md
(https://github.com/bbc/audiowaveform).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

POINTS_PER_SECOND = 10
MOST_POINTS = 50_000  # more of a long recording are joined
FULL_SCALE = 127


class Waveform:
    """The waveform of a sound at ``rate`` Hz that comes in pieces."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._step = max(1, rate // POINTS_PER_SECOND)
        self._rest: Sound = np.empty((1, 0), np.float32)
        self._points: list[NDArray[np.int8]] = []

    def add(self, sound: Sound) -> None:
        """Append ``sound``, of shape (channels, samples). A point holds the extremes of all channels."""
        if self._rest.shape[1]:
            sound = np.concatenate((self._rest, sound), axis=1)
        whole = sound.shape[1] // self._step * self._step
        self._rest = sound[:, whole:].copy()
        if whole:
            self._points.append(_find_extremes(sound[:, :whole].reshape(len(sound), -1, self._step)))

    def follow(self, sounds: Iterable[Sound]) -> Iterator[Sound]:
        """Pass the pieces on, and append them."""
        for sound in sounds:
            self.add(sound)
            yield sound

    def write_json(self) -> str:
        """Return the waveform as JSON text; nothing can be added afterwards."""
        if self._rest.shape[1]:
            self._points.append(_find_extremes(self._rest[:, None, :]))
        points = np.concatenate(self._points) if self._points else np.empty((0, 2), np.int8)
        joined = max(1, -(-len(points) // MOST_POINTS))
        if joined > 1:
            starts = np.arange(0, len(points), joined)
            lowest, highest = np.minimum.reduceat(points[:, 0], starts), np.maximum.reduceat(points[:, 1], starts)
            points = np.stack((lowest, highest), axis=1)
        known = {
            "version": 2,
            "channels": 1,
            "sample_rate": self._rate,
            "samples_per_pixel": self._step * joined,
            "bits": 8,
            "length": len(points),
            "data": points.ravel().tolist(),
        }
        return json.dumps(known, separators=(",", ":"))


def _find_extremes(sound: Sound) -> NDArray[np.int8]:
    """Return the lowest and the highest sample of each point; ``sound`` has the shape (channels, points, samples)."""
    extremes = np.stack((sound.min(axis=(0, 2)), sound.max(axis=(0, 2))), axis=1)
    return np.round(extremes.clip(-1, 1) * FULL_SCALE).astype(np.int8)
