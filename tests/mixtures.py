"""Mix speech and music with known parts, and measure how close a stem is to its part."""

from __future__ import annotations

import importlib.util
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests import recordings
from tests.service import MINI, SAMPLE

RATE = recordings.RATE
LEFT, RIGHT = 1.2, 0.8  # gains of the voice, unequal so that swapped channels are noticed
Sound = NDArray[np.float32]


def parts(seconds: float, seed: int = 20_000_001, snr: float = 0.0) -> tuple[Sound, Sound]:
    """Make (vocals, music), each (2, samples) at 16 kHz, with vocals ``snr`` dB above the music.

    The default seed was not used in training.
    """
    spoken = recordings.speech(SAMPLE).astype(np.float32) / 32768
    count = int(seconds * RATE)
    voice = np.resize(spoken, count)
    vocals = np.stack([voice * LEFT, voice * RIGHT])
    music = _music().music(np.random.default_rng(seed), seconds, RATE).astype(np.float32)
    music *= power(vocals) / power(music) / 10 ** (snr / 20)
    peak = abs(vocals + music).max() / 0.9
    return vocals / peak, music / peak


def power(sound: Sound) -> float:
    return float(np.sqrt((sound**2).mean()))


def level(part: Sound, whole: Sound) -> float:
    """Energy of one signal relative to another's, in dB."""
    return float(10 * np.log10(((part**2).sum() + 1e-20) / ((whole**2).sum() + 1e-20)))


def si_sdr(estimate: Sound, reference: Sound) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, both channels as one signal (Le Roux et al., 2019)."""
    target = reference * (estimate * reference).sum() / (reference**2).sum()
    return level(target, estimate - target)


def stereo_wav(path: Path, sound: Sound, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(sound))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound.T * 32767).round().astype("<i2").tobytes())
    return path


def heard(path: Path) -> tuple[Sound, int]:
    """Decode a file of any codec to (channels, samples), and its sample rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate, layout = stream.rate, stream.layout.name
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        frames = [block for frame in container.decode(stream) for block in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), rate


def _music() -> Any:
    spec = importlib.util.spec_from_file_location("mini_training_music", MINI / "training" / "music.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
