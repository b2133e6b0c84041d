"""Mixtures `(2, samples)` of speech and music with their two stems, for training and evaluating demucs."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import music
import numpy as np
import scenes
import voices
from voices import RATE

SOURCES = ("other", "vocals")  # in the order of the model's output
SNR = (-10.0, 10.0)  # dB, speech over music


def speech_pool(count: int) -> list[np.ndarray]:
    """Utterances of all training voices, two English for one German, mono at 16 kHz."""
    languages = ("en", "en", "de")
    return [
        scenes.utterance(seed, languages[seed % 3], voices.TRAINING[languages[seed % 3]])[2] for seed in range(count)
    ]


def music_pool(count: int, seconds: float) -> list[np.ndarray]:
    return [music.music(np.random.default_rng(seed), seconds, RATE) for seed in range(count)]


@dataclass(frozen=True)
class Pools:
    """Material for training examples."""

    speech: list[np.ndarray]
    music: list[np.ndarray]

    def example(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """`(2 sources, 2 channels, count)`; one in twelve is speech alone, one in twelve music alone."""
        kind = rng.random()
        vocals = self._vocals(rng, count) if kind > 1 / 12 else np.zeros((2, count), np.float32)
        other = self._other(rng, count) if kind < 11 / 12 else np.zeros((2, count), np.float32)
        stems = balanced(other, vocals, rng.uniform(*SNR))
        return (stems * 10 ** rng.uniform(-1.5, 0) / max(1e-3, float(abs(stems.sum(0)).max()))).astype(np.float32)

    def _vocals(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """One or two people at their places between left and right, with gaps, cut anywhere."""
        return sum(
            panned(_line(rng, count, lambda: _varied(rng, self.speech)), rng.uniform(0.4, 0.6))
            for _ in range(1 + (rng.random() < 0.15))
        )

    def _other(self, rng: np.random.Generator, count: int) -> np.ndarray:
        piece = _varied(rng, self.music)
        start = rng.integers(0, piece.shape[1] - count)
        return piece[:: rng.choice([-1, 1]), start : start + count] * rng.choice([-1, 1])


def held_out(seed: int, seconds: float) -> np.ndarray:
    """`(2 sources, 2 channels, samples)`: a conversation of fresh words over fresh music.

    Every second one uses held-out voices.
    """
    rng = np.random.default_rng(scenes.HELD_OUT_SEED + seed)
    language = ("en", "de")[seed // 2 % 2]
    among = voices.HELD_OUT[language] if seed % 2 else voices.TRAINING[language]
    speakers = random.Random(seed).sample(list(among), 2)
    talk = scenes.conversation(scenes.HELD_OUT_SEED + seed, language, speakers, seconds + 2).samples
    count = int(seconds * RATE)
    vocals = panned(np.pad(talk, (0, max(0, count - len(talk))))[:count], rng.uniform(0.4, 0.6))
    return balanced(music.music(rng, seconds, RATE), vocals, rng.uniform(*SNR))


def balanced(other: np.ndarray, vocals: np.ndarray, snr: float) -> np.ndarray:
    """Both stems at the same power but for `snr` dB in favour of the vocals; a silent one stays silent."""
    scaled = [stem / max(1e-6, float(np.sqrt((stem**2).mean()))) * 0.1 for stem in (other, vocals)]
    return np.stack([scaled[0], scaled[1] * 10 ** (snr / 20)])


def panned(samples: np.ndarray, left: float) -> np.ndarray:
    return np.stack([samples * left, samples * (1 - left)]) * 2


def _varied(rng: np.random.Generator, pool: list[np.ndarray]) -> np.ndarray:
    """One of the pool, up to a tenth slower and lower or faster and higher."""
    piece = pool[rng.integers(len(pool))]
    at = np.arange(0, piece.shape[-1] - 1, rng.uniform(0.9, 1.1))
    channels = [np.interp(at, np.arange(piece.shape[-1]), channel) for channel in np.atleast_2d(piece)]
    return np.stack(channels).astype(np.float32).reshape(*piece.shape[:-1], -1)


def _line(rng: np.random.Generator, count: int, utterance: Callable[[], np.ndarray]) -> np.ndarray:
    """Utterances with pauses of up to a second and different loudness, from a random point in the first one on."""
    pieces, length = [], 0
    while length < 2 * count:
        piece = utterance() * 10 ** rng.uniform(-0.4, 0)
        pieces += [piece, np.zeros(int(rng.exponential(0.3) * RATE), np.float32)]
        length += len(pieces[-2]) + len(pieces[-1])
    start = rng.integers(0, max(1, min(len(pieces[0]), count)))
    return np.concatenate(pieces)[start : start + count].astype(np.float32)
