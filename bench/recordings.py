"""Make recordings of given lengths from the demo's speech."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.service import SAMPLE

RATE = 16_000
Speech = NDArray[np.int16]


def speech(path: Path = SAMPLE) -> Speech:
    """Decode ``path``: int16, shape (samples,), 16 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        blocks = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
        blocks += resampler.resample(None)
    return np.concatenate([block.to_ndarray()[0] for block in blocks])


def write(path: Path, spoken: Speech, seconds: float) -> Path:
    """Write a WAV file of ``seconds``, repeating ``spoken``."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.resize(spoken, round(seconds * RATE)).tobytes())
    return path


def varied(folder: Path, count: int, shortest: float = 6.0, longest: float = 30.0) -> list[Path]:
    """Write ``count`` recordings of ``shortest`` to ``longest`` seconds, evenly spread, in mixed order."""
    spoken = speech()
    step = (longest - shortest) / max(1, count - 1)
    lengths = [shortest + step * number for number in range(count)]
    mixed = [lengths[7 * number % count] for number in range(count)] if count % 7 else lengths
    return [write(folder / f"{number:02}.wav", spoken, seconds) for number, seconds in enumerate(mixed)]
