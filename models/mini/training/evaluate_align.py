"""Measure the mini aligner with the stage of the service, on held-out recordings.

python evaluate_align.py [FOLDER] (30 s)

The text is given, as the generator spoke it. An error is the distance, in ms, of a word's start or end from where the
generator has it, and the figures are over both. For a word without times, it is the length of the recording.
"""

import dataclasses
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import product
import scenes
import vocabulary
import voices

from app.core.settings import Align, Settings
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels

SHIPPED = product.MINI / "align"
RECORDINGS = 20  # of each language and each kind
WORDS = range(3, 13)
CLOSE, WIDE = (0.05, 0.4), (0.05, 1.5)  # seconds between words


def figures(folder: Path = SHIPPED, recordings: int = RECORDINGS) -> dict[str, float]:
    """Errors in ms, in total and for each kind of recording."""
    found: dict[str, float] = {}
    for language in vocabulary.WORDS:
        kinds = {
            kind: np.concatenate([errors(folder, one) for one in made]) for kind, made in held_out(language, recordings)
        }
        for kind, of_kind in {"": np.concatenate(list(kinds.values())), **kinds}.items():
            name = f"{language}, {kind}, " if kind else f"{language}, "
            found[f"{name}median error (ms)"] = float(np.median(abs(of_kind)))
            found[f"{name}95th percentile (ms)"] = float(np.percentile(abs(of_kind), 95))
    return found


def held_out(language: str, recordings: int = RECORDINGS) -> Iterator[tuple[str, list[scenes.Recording]]]:
    """Recordings by kind, from seeds and partly of voices that were not used in training."""
    every = voices.TRAINING[language] + voices.HELD_OUT[language]
    kinds = {
        "training voices": (voices.TRAINING[language], CLOSE),
        "voices never heard": (voices.HELD_OUT[language], CLOSE),
        "pauses up to 1.5 s": (every, WIDE),
    }
    for number, (kind, (among, pause)) in enumerate(kinds.items()):
        asked = [
            (scenes.HELD_OUT_SEED + 1000 * number + index, WORDS[index % len(WORDS)]) for index in range(recordings)
        ]
        with ThreadPoolExecutor(2) as pool:
            yield kind, list(pool.map(lambda one: scenes.joined(one[0], language, among, one[1], pause), asked))  # noqa: B023


def errors(folder: Path, recording: scenes.Recording) -> np.ndarray:
    """Errors of each word's start and end in ms, shape (words, 2); negative is too early."""
    from workers.stages import align

    seconds = len(recording.samples) / voices.RATE
    models = _models(folder.resolve())
    run = Run(
        Job("evaluation", 1, "transcription", {}, [], ""), product.SLOT, Settings(), models, lambda progress: None
    )
    segment = {"id": 0, "start": 0.0, "end": seconds, "text": recording.text, "tokens": [], "words": []}
    found = align.align([segment], recording.samples, models.aligner(recording.language), lambda tokens: "", run)
    words = [word for sentence in found for word in sentence["words"]]
    if [word["word"] for word in words] != recording.text.split():
        return np.full((len(recording.words), 2), 1000 * seconds)
    pairs = zip(words, recording.words, strict=True)
    return 1000 * np.array([(word["start"] - true.start, word["end"] - true.end) for word, true in pairs])


@cache
def _models(folder: Path) -> WarmModels:
    aligners = Align({language: str(folder) for language in vocabulary.WORDS})
    return WarmModels(product.SLOT, dataclasses.replace(Settings(), align=aligners))


if __name__ == "__main__":
    logging.disable()
    for name, value in figures(*map(Path, sys.argv[1:2])).items():
        print(f"{name:46} {value:8.1f}")
