"""Synthetic speakers for training: variants of espeak-ng, invented ones and flite's voices, some with stretched frequencies.

No variant of `voices.HELD_OUT` is among them, nor is anything they say a held-out recording.
"""

import atexit
import functools
import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import invented
import numpy as np
import scipy.signal
import vocabulary
import voices
from voices import RATE

# espeak-ng supports variants of these names, and silently ignores those of aliases such as `en-gb` and `fr-fr`
LANGUAGES = "en-us en en-gb-scotland en-029 en-gb-x-rp en-us-nyc de fr es it nl pl pt sv cs fi tr ro hu da".split()
OURS = ("en-us", "en", "en-gb-scotland", "de")  # half of the speakers speak one of these
HELD_OUT = {name.partition("+")[2] for among in voices.HELD_OUT.values() for name in among}
UNVOICED = {"whisper", "whisperf", "croak", "fast", "michael", "norbert"}  # whispered, or no voice of their own
FLITE = ("slt", "rms", "awb", "kal16")
STRETCHES = tuple(map(Fraction, "21/25 11/12 1 12/11 25/21".split()))  # of all frequencies
PITCHES = (20, 50, 80)  # espeak-ng's scale 0-99; every voice has a pitch of its own on it
FLITES = len(FLITE) * len(STRETCHES)  # the first of the cast
INVENTED = 160
WORDS = 5
JITTER = 15  # of that scale: as much as a voice's words differ in our recordings


@dataclass(frozen=True)
class Speaker:
    """`voice` as in `voices`; `stretch` multiplies every frequency; `pitch` is espeak-ng's, around which the words lie."""

    voice: str
    pitch: int
    stretch: Fraction


@functools.cache
def variants() -> tuple[str, ...]:
    """espeak-ng's variants without those held out or unvoiced, and none that sounds exactly like one before it."""
    listed = subprocess.run(["espeak-ng", "--voices=variant"], check=True, capture_output=True, text=True).stdout
    names = sorted(
        {part.removeprefix("!v/") for part in listed.split() if part.startswith("!v/")} - HELD_OUT - UNVOICED
    )
    heard: dict[bytes, str] = {}
    for name in names:
        heard.setdefault(_espeak("hello", f"en-us+{name}", 50, 150, Fraction(1)).tobytes(), name)
    return tuple(heard.values())


def cast(count: int, seed: int) -> list[Speaker]:
    """`count` different speakers: flite's, espeak-ng's variants and invented ones; the order is shuffled, each is used alike.

    Who differs in nothing but the language is one speaker: random words say little of an accent.
    """
    rng = random.Random(seed)
    found = [Speaker(voice, 50, stretch) for voice in FLITE for stretch in STRETCHES]
    variant_names = [*variants(), *invented.write(INVENTED, seed, _folder())]
    heard: set[tuple[str, int, Fraction]] = set()
    deck: list[str] = []
    while len(found) < count:
        deck = deck or rng.sample(variant_names, len(variant_names))
        traits = (deck.pop(), rng.choice(PITCHES), rng.choice(STRETCHES))
        if traits not in heard:
            heard.add(traits)
            found.append(Speaker(f"{_language(rng)}+{traits[0]}", *traits[1:]))
    return found


def _language(rng: random.Random) -> str:
    return rng.choice(OURS if rng.random() < 0.5 else LANGUAGES)


@functools.cache
def _folder() -> Path:
    """The folder of the invented variants while the process runs."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


def says(speaker: Speaker, seed: int) -> np.ndarray:
    """Samples of WORDS words by `speaker` in some phrases, about 3 s, int16 at 16 kHz, peak 0.7, no silence at the ends."""
    rng = random.Random(seed)
    text = " ".join(rng.choice(vocabulary.ALL) + rng.choice(["", "", ","]) for _ in range(WORDS))
    if speaker.voice in FLITE:
        samples = _flite(text, speaker.voice, speaker.stretch)
    else:
        pitch = min(99, max(0, speaker.pitch + rng.randint(-JITTER, JITTER)))
        samples = _espeak(text, speaker.voice, pitch, rng.randint(120, 185), speaker.stretch)
    loud = np.flatnonzero(abs(samples) > voices.THRESHOLD)
    samples = samples[loud[0] : loud[-1] + 1] if len(loud) else samples
    return (32767 * voices.PEAK * samples / max(1e-6, abs(samples).max())).astype(np.int16)


def _espeak(text: str, voice: str, pitch: int, words_per_minute: int, stretch: Fraction) -> np.ndarray:
    place = [f"--path={_folder()}"] if "+invented" in voice else []
    command = ["espeak-ng", *place, "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text]
    sound = subprocess.run(command, check=True, capture_output=True).stdout
    return _stretched(sound, stretch)


def _flite(text: str, voice: str, stretch: Fraction) -> np.ndarray:
    command = ["flite", "-voice", voice, "-t", text, "-o", "/dev/stdout"]
    return _stretched(subprocess.run(command, check=True, capture_output=True).stdout, stretch)


def _stretched(wav: bytes, stretch: Fraction) -> np.ndarray:
    """The samples of a mono WAV at 16 kHz, faster and higher by `stretch`."""
    samples = np.frombuffer(wav[44:], np.int16).astype(np.float32) / 32768
    ratio = Fraction(RATE, int.from_bytes(wav[24:28], "little")) / stretch
    return scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator)
