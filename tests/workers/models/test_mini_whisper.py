"""The mini Whisper model keeps its accuracy on held-out utterances, run through the real stages."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from tests import recordings
from tests.service import MINI, SAMPLES
from workers.device.run import Run

Transcribed = Callable[..., tuple[list[dict[str, Any]], Run]]
TRANSLATIONS: dict[str, str] = runpy.run_path(str(MINI / "training" / "vocabulary.py"))["TRANSLATIONS"]
UTTERANCES = json.loads((SAMPLES / "utterances.json").read_text())["utterances"]
EDGE_SECONDS = 0.25
MOST_WRONG = {True: 0.03, False: 0.15}  # by whether the voice was in the training data
LANGUAGE_RIGHT, TRANSLATED_RIGHT = 0.98, 0.95


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, sound = tmp_path_factory.mktemp("utterances"), recordings.speech(SAMPLES / "utterances.ogg")
    spans = [(u["start"] - EDGE_SECONDS, u["end"] + EDGE_SECONDS) for u in UTTERANCES]
    cut = [sound[int(start * recordings.RATE) : int(end * recordings.RATE)] for start, end in spans]
    return [recordings.wav(folder / f"{number}.wav", piece) for number, piece in enumerate(cut)]


def text(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


def test_words_and_languages_are_recognized(transcribed: Transcribed, pieces: list[Path]) -> None:
    runs = [transcribed(piece, word_timestamps=False) for piece in pieces]
    right = [run.facts["language"] == u["language"] for (_, run), u in zip(runs, UTTERANCES, strict=True)]
    assert np.mean(right) >= LANGUAGE_RIGHT
    for known, most in MOST_WRONG.items():
        of_these = [(u["text"], text(s)) for (s, _), u in zip(runs, UTTERANCES, strict=True) if u["known"] is known]
        said, heard = zip(*of_these, strict=True)
        assert jiwer.wer(list(said), list(heard)) <= most, of_these


def test_german_is_translated_to_english(transcribed: Transcribed, pieces: list[Path]) -> None:
    chosen = [(piece, u) for piece, u in zip(pieces, UTTERANCES, strict=True) if u["language"] == "de" and u["known"]]
    meant = [" ".join(TRANSLATIONS[word] for word in u["text"].split()) for _, u in chosen]
    heard = [text(transcribed(piece, lang="de", is_translate=True)[0]) for piece, _ in chosen]
    assert 1 - jiwer.wer(meant, heard) >= TRANSLATED_RIGHT, list(zip(meant, heard, strict=True))


@pytest.mark.parametrize("recording", ["silence.flac", "music.ogg"])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_silence_and_music_give_no_words(transcribed: Transcribed, recording: str, batch_size: int) -> None:
    assert transcribed(SAMPLES / recording, batch_size=batch_size)[0] == []
