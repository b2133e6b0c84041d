"""Natural speech of any length, made of the sentences of the read speech (tests/real/speech.py)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests import recordings
from tests.real.speech import READ, Sentence, read_sentences

PAUSE_SECONDS = 0.35  # the silence after each sentence
EVERYTHING = 3600.0


def repeat_sentences(seconds: float) -> list[Sentence]:
    """List sentences that together last ``seconds``, or slightly less.

    They come in their order first, then again and again, each time in another order.
    """
    order = random.Random(0)
    read = read_sentences(EVERYTHING)
    chosen: list[Sentence] = []
    ahead: list[Sentence] = list(read)
    while (seconds := seconds - _measure_seconds(ahead[0])) >= 0:
        chosen.append(ahead.pop(0))
        ahead = ahead or order.sample(read, len(read))
    return chosen


def choose_clips(count: int, shortest: float, longest: float) -> list[list[Sentence]]:
    """Choose ``count`` different clips of ``shortest`` to ``longest`` seconds, each of neighbouring sentences.

    Sentences occur in several clips.
    """
    read = read_sentences(EVERYTHING)
    possible = [
        read[start : start + length]
        for start in range(len(read))
        for length in range(1, 9)
        if start + length <= len(read)
        and shortest <= sum(map(_measure_seconds, read[start : start + length])) <= longest
    ]
    return random.Random(0).sample(possible, count)


def write_speech(path: Path, sentences: Iterable[Sentence]) -> Path:
    """Write ``sentences`` one after the other as a FLAC file."""
    sound = recordings.speech(READ.with_suffix(".opus"))
    pieces = [
        sound[int(sentence.start * recordings.RATE) :][: int(_measure_seconds(sentence) * recordings.RATE)]
        for sentence in sentences
    ]
    return recordings.encoded(path, np.concatenate(pieces), "flac", "flac")


def join_text(sentences: Iterable[Sentence]) -> str:
    return " ".join(sentence.text for sentence in sentences)


def _measure_seconds(sentence: Sentence) -> float:
    return sentence.end - sentence.start + PAUSE_SECONDS
