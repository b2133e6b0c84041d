"""Bring sound to the wanted channels and level: mix to mono without losing speech, keep samples within [-1, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

Sound = NDArray[np.float32]

# How fast the mix follows a change of the recording.
HALF_LIFE_SAMPLES = 4000
# A mix this much weaker than one of unrelated channels has lost what they share: they are in opposite phase.
CANCELLED = 0.2
# A recorder's 32-bit floats go some 20 dB beyond full scale; more (36 dB) is damage.
LOUDEST = 64.0
# Single samples beyond full scale are clipped.
CLIPPED_SHARE = 0.001
FADE_SECONDS = 0.02


class Mixer:
    """Mix the channels of a recording to one.

    The mix is the mean of all channels that had any sound so far. Channels in opposite phase are turned first.
    """

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))
        self._used = np.zeros(channels, bool)
        self._random = np.random.default_rng(0)

    def mix(self, sound: Sound) -> Sound:
        """Mix ``sound`` of shape (channels, samples) to shape (1, samples)."""
        if len(sound) == 1 or not sound.size:
            return sound[:1]
        samples = sound.shape[1]
        chosen = self._random.integers(0, samples, samples // (2 * len(sound)) + 1)
        some = sound[:, chosen]  # enough to compare channels
        self._products *= 0.5 ** (samples / HALF_LIFE_SAMPLES)
        self._products += np.einsum("in,jn->ij", some, some)  # BLAS would start threads
        self._used |= sound.any(axis=1)
        weights = self._used / max(1, self._used.sum())
        power = np.diagonal(self._products)
        unrelated = float((weights**2 * power).sum())
        if float(weights @ self._products @ weights) < CANCELLED * unrelated:
            leading = int(np.argmax(power > 0.1 * power.max()))
            weights = weights * np.where(self._products[leading] < 0, -1, 1)
        mixed: Sound = (weights.astype(np.float32) @ sound)[None]
        return mixed


class Level:
    """Turn a recording down from where it exceeds full scale.

    The level never rises again, so that loud and quiet parts keep their relation after the first loud one.
    """

    def __init__(self, rate: int) -> None:
        self._gain = 1.0
        self._fade = int(rate * FADE_SECONDS)

    def limit(self, sound: Sound) -> Sound:
        """Return ``sound``, of shape (channels, samples), in [-1, 1]."""
        peak = float(abs(sound).max(initial=0.0)) * self._gain
        if peak <= 1.0:
            return sound if self._gain == 1.0 else sound * np.float32(self._gain)
        before, self._gain = self._gain, min(self._gain, 1 / max(1.0, _find_peak(sound)))
        gains = np.full(sound.shape[1], self._gain, np.float32)
        fade = min(self._fade, len(gains))
        gains[:fade] = np.linspace(before, self._gain, fade)
        limited: Sound = (sound * gains).clip(-1, 1)
        return limited


def _find_peak(sound: Sound) -> float:
    loudest = abs(sound).max(axis=0)
    place = len(loudest) - 1 - int(len(loudest) * CLIPPED_SHARE)
    return float(np.partition(loudest, place)[place])


def to_floats(frame: AudioFrame) -> Sound:
    """Return the samples of a frame of any format, of shape (channels, samples), finite, with full scale at 1."""
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return np.where(abs(samples) <= LOUDEST, samples, 0).astype(np.float32)
    span = np.iinfo(samples.dtype)
    centre = (int(span.max) + int(span.min) + 1) // 2  # 128 for unsigned bytes
    full_scale = (int(span.max) - int(span.min) + 1) // 2
    floats: Sound = ((samples.astype(np.float64) - centre) / full_scale).astype(np.float32)
    return floats
