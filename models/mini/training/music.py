"""Synthesize stereo music with numpy: chords, tunes and drums."""

import numpy as np

SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 16, 19, 24)  # semitones above the key
KEYS = (110.0, 131.0, 147.0, 165.0, 196.0, 220.0, 262.0)  # Hz


def music(rng: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """Stereo samples `(2, seconds * rate)`, float32, peak 1."""
    count = int(seconds * rate)
    kind = rng.random()
    made = np.zeros((2, count), np.float32)
    if kind < 0.8:
        made += _chords(rng, count, rate)
    if kind > 0.45:
        made += _drums(rng, count, rate) * rng.uniform(0.3, 1.2)
    return made / max(1e-3, float(abs(made).max()))


def _chords(rng: np.random.Generator, count: int, rate: int) -> np.ndarray:
    made = np.zeros((2, count), np.float32)
    step, key = int(rng.uniform(0.2, 2.0) * rate), rng.choice(KEYS)
    brightness, decay = rng.uniform(0.7, 2), rng.choice([0.0, 1.0, 4.0])
    for start in range(0, count, step):
        length = min(step, count - start)
        time = np.arange(length, dtype=np.float32) / rate
        for _ in range(rng.integers(1, 4)):
            frequency = key * 2 ** (rng.choice(SCALE) / 12)
            overtones = range(1, int(rng.integers(2, 7)))
            tone = sum(
                np.sin(2 * np.pi * frequency * n * time + rng.uniform(0, 6.3)) / n**brightness for n in overtones
            )
            made[:, start : start + length] += tone * _envelope(time, decay) * _panned(rng)
    return made


def _envelope(time: np.ndarray, decay: float) -> np.ndarray:
    """Attack and release of 10 ms, so that no note clicks, and the decay of a plucked string."""
    return np.exp(-decay * time) * np.clip(np.minimum(time, time[-1] - time) / 0.01, 0, 1)


def _panned(rng: np.random.Generator) -> np.ndarray:
    left = rng.uniform(0.3, 0.7)
    return np.array([[left], [1 - left]], np.float32) * 2


def _drums(rng: np.random.Generator, count: int, rate: int) -> np.ndarray:
    made = np.zeros((2, count), np.float32)
    step, pan = int(rng.uniform(0.15, 0.8) * rate), _panned(rng)
    for start in range(0, count, step):
        length = min(step, count - start, rate // 4)
        time = np.arange(length, dtype=np.float32) / rate
        noisy = rng.random() < 0.5
        hit = rng.standard_normal(length) if noisy else 2 * np.sin(2 * np.pi * rng.uniform(50, 120) * time)
        made[:, start : start + length] += (hit * np.exp(-time * rng.uniform(15, 60)) * rng.uniform(0.3, 1.5)).astype(
            np.float32
        ) * pan
    return made
