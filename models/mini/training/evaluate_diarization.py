"""Measure the diarization error rate of the mini models.

python evaluate_diarization.py FOLDER [development] (three minutes on one core)

Diarization error rate as pyannote.metrics counts it: no collar, overlap counted. Conversations of `scenes.conversation` by
2, 3 and 4 voices that sound different, 40 to 90 s, and the recording of two people in pyannote.audio's wheel.
"""

import functools
import os
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # read by pyannote.audio at import
warnings.filterwarnings("ignore", module="pyannote")

import numpy as np
import pyannote.audio
import scenes
import scipy.signal
import soundfile
import torch
import vocabulary
import voices
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate
from whisperx.diarize import DiarizationPipeline

DEVELOPMENT_SEED = 700_000  # of the conversations that the thresholds were chosen on
COUNT = 30
DISTINCT = (
    3.5  # dB between two voices' long-term spectra; variants of one espeak-ng voice lie 0 to 3 apart, people farther
)
SAMPLE = Path(pyannote.audio.__file__).parent / "sample"  # not imported: the package needs torchcodec


def figures(folder: Path, first_seed: int = scenes.HELD_OUT_SEED, count: int = COUNT) -> dict[str, float]:
    """Error rates on known and held-out voices and on people, and the share of right speaker counts; all of 1."""
    pipeline = DiarizationPipeline(model_name=str(folder.resolve()))
    known, unheard, all_of_them = DiarizationErrorRate(), DiarizationErrorRate(), DiarizationErrorRate()
    right = []
    for recording, has_unheard in conversations(first_seed, count):
        truth = reference(recording)
        found = heard(pipeline, recording.samples)
        wrong = all_of_them(truth, found)
        (unheard if has_unheard else known)(truth, found)
        right.append(len(found.labels()) == len(truth.labels()))
        print(
            f"{', '.join(truth.labels())}: {len(found.labels())} found, error {wrong:.3f}", file=sys.stderr, flush=True
        )
    parts = all_of_them[:]
    return {
        "DER, 2-4 voices": abs(all_of_them),
        "DER, all voices known": abs(known),
        "DER, some voices held out": abs(unheard),
        "missed": parts["missed detection"] / parts["total"],
        "false alarm": parts["false alarm"] / parts["total"],
        "confusion": parts["confusion"] / parts["total"],
        "speaker count right": float(np.mean(right)),
        "DER, real people, their number given": people(pipeline, num_speakers=2),
        "DER, real people": people(pipeline),
    }


def conversations(first_seed: int, count: int) -> Iterator[tuple[scenes.Recording, bool]]:
    """Recordings by 2, 3, 4, 2, ... voices, and whether a held-out voice is among them, as in every second one."""
    for number in range(count):
        rng = random.Random(first_seed + number)
        held_out = number % 2 == 1
        cast = distinct(rng, 2 + number % 3, held_out)
        yield scenes.conversation(first_seed + number, "en", cast, rng.uniform(40, 90)), held_out


def distinct(rng: random.Random, count: int, held_out: bool) -> list[str]:
    """Voices that are DISTINCT from each other, at least one of them held out where asked."""
    while True:
        first = rng.choice(voices.HELD_OUT["en"] if held_out else voices.TRAINING["en"])
        rest = voices.TRAINING["en"] + (voices.HELD_OUT["en"] if held_out else ())
        cast = [first, *rng.sample([voice for voice in rest if voice != first], count - 1)]
        if all(np.sqrt(np.mean((colour(a) - colour(b)) ** 2)) >= DISTINCT for a in cast for b in cast if a < b):
            return cast


@functools.cache
def colour(voice: str) -> np.ndarray:
    """The long-term spectrum of a voice over a fixed list of words: 24 bands from 80 Hz to 8 kHz, dB, mean 0."""
    said = np.concatenate([voices.speak(word, voice, random.Random(word)) for word in vocabulary.EN[::4]])
    frequencies, power = scipy.signal.welch(said, voices.RATE, nperseg=1024)
    edges = np.geomspace(80, voices.RATE / 2, 25)
    bands = [
        power[(low <= frequencies) & (frequencies <= high)].mean() for low, high in zip(edges, edges[1:], strict=False)
    ]
    decibels = 10 * np.log10(np.array(bands) + 1e-9 * max(bands))
    return decibels - decibels.mean()


def reference(recording: scenes.Recording) -> Annotation:
    return annotation(recording.turns())


def annotation(turns: Sequence[tuple[float, float, str]]) -> Annotation:
    made = Annotation()
    for number, (start, end, voice) in enumerate(turns):
        made[Segment(start, end), number] = voice
    return made


def heard(pipeline: DiarizationPipeline, samples: np.ndarray, **options: int) -> Annotation:
    turns = pipeline(samples, **options)
    return annotation([(row.start, row.end, row.speaker) for row in turns.itertuples()])


def people(pipeline: DiarizationPipeline, **options: int) -> float:
    """The error rate on the 30 s of a telephone conversation in pyannote.audio's wheel."""
    samples, rate = soundfile.read(SAMPLE / "sample.wav", dtype="float32")
    assert rate == voices.RATE
    (truth,) = load_rttm(SAMPLE / "sample.rttm").values()
    return float(DiarizationErrorRate()(truth, heard(pipeline, samples, **options)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    seed = DEVELOPMENT_SEED if sys.argv[2:] == ["development"] else scenes.HELD_OUT_SEED
    for name, value in figures(Path(sys.argv[1]), seed).items():
        print(f"{name:40} {value:.3f}")
