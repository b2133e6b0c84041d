"""Speak text with Debian's synthesizers, espeak-ng and flite; the only caller of either.

A voice is one of espeak-ng's (`en-us+f2`: language and variant) or one of flite's names. `HELD_OUT` voices are never trained on.
"""

import io
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

RATE = 16_000
FLITE = ("slt", "rms", "awb", "kal16")
ESPEAK = {
    "en": (
        "en-us en-us+f2 en-us+f4 en-us+m3 en-us+m7 en-gb en-gb+f3 en-gb-scotland en-gb-x-rp+f1 en-us+adam en-us+linda "
        "en-us+steph en-gb+michael"
    ).split(),
    "de": "de de+f2 de+f4 de+m3 de+m7 de+f1 de+adam de+linda de+steph de+michael".split(),
}
TRAINING = {"en": (*ESPEAK["en"], *FLITE), "de": tuple(ESPEAK["de"])}
HELD_OUT = {"en": ("en-us+john", "en-gb+paul", "en-us+f5", "en-us+m1"), "de": ("de+f3", "de+m1")}
THRESHOLD = 1e-3  # of full scale: quieter ends are not speech
AUDIBLE = 10 ** (-30 / 10)  # of the loudest power in the word: quieter ends do not belong to it
PEAK = 0.7


def speak(text: str, voice: str, rng: random.Random) -> np.ndarray:
    """Samples of `text`, float32 mono at 16 kHz, from the first sound to the last, peak 0.7; tempo and pitch drawn from `rng`."""
    sound = (
        _flite(text, voice, rng.uniform(0.85, 1.2))
        if voice in FLITE
        else _espeak(text, voice, rng.randint(120, 185), rng.randint(35, 65))
    )
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    if rate != RATE:
        samples = scipy.signal.resample_poly(samples, RATE, rate)
    loud = np.flatnonzero(abs(samples) > THRESHOLD)
    samples = samples[loud[0] : loud[-1] + 1]
    return (PEAK * samples / abs(samples).max()).astype(np.float32)


def audible(sound: np.ndarray) -> tuple[int, int]:
    """First and last audible sample of a word: 10 ms within 30 dB of its loudest part.

    flite puts up to 0.3 s of faint noise around what it says, and some of espeak-ng's variants leave an echo.
    """
    window = RATE // 100
    energy = np.cumsum(np.concatenate([np.zeros(window), sound.astype(np.float64) ** 2, np.zeros(window)]))
    power = energy[window:] - energy[:-window]  # of the window that ends at each sample
    loud = np.flatnonzero(power > AUDIBLE * power.max())
    return max(0, int(loud[0]) - window // 2), min(len(sound), int(loud[-1]) - window // 2)


def _espeak(text: str, voice: str, words_per_minute: int, pitch: int) -> bytes:
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _flite(text: str, voice: str, stretch: float) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-t", text, "-o", str(out)]
        subprocess.run(command, check=True, capture_output=True)
        return out.read_bytes()
