"""Synthesize utterances of one to six words for training, and store them.

python corpus.py CORPUS.npz [COUNT] (4 minutes on two cores)
"""

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scenes
import voices

COUNT = 25_000  # about 9 hours
GERMAN, FLITE = 0.33, 0.5  # shares: of all utterances, of the English ones


@dataclass(frozen=True)
class Utterance:
    """Words spoken in one breath; `samples` int16 at 16 kHz, from the first sound to the last."""

    language: str
    words: tuple[str, ...]
    voice: str
    samples: np.ndarray


def spoken(seed: int) -> Utterance:
    rng = random.Random(seed)
    language = "de" if rng.random() < GERMAN else "en"
    among = voices.FLITE if language == "en" and rng.random() < FLITE else voices.ESPEAK[language]
    text, voice, samples = scenes.utterance(seed, language, among)
    return Utterance(language, tuple(text.split()), voice, (samples * 32767).astype(np.int16))


def write(path: Path, count: int = COUNT) -> None:
    with ThreadPoolExecutor(4) as pool:
        utterances = list(pool.map(spoken, range(count)))
    about = [(u.language, u.words, u.voice, len(u.samples)) for u in utterances]
    np.savez(path, samples=np.concatenate([u.samples for u in utterances]), about=np.array(json.dumps(about)))
    seconds = sum(len(u.samples) for u in utterances) / voices.RATE
    print(f"{count} utterances, {seconds / 3600:.1f} h, {path}")


def load(path: Path) -> list[Utterance]:
    with np.load(path) as kept:
        samples, about = kept["samples"], json.loads(str(kept["about"]))
    found, at = [], 0
    for language, words, voice, length in about:
        found.append(Utterance(language, tuple(words), voice, samples[at : at + length]))
        at += length
    return found


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
