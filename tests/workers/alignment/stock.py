"""Run whisperx's own alignment beside ours, on the same output of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import whisperx.alignment

from workers.alignment.alphabet import read_alphabet
from workers.alignment.emissions import compute_emissions
from workers.alignment.sentences import align_text
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.stages.sentences import load_splitter

SCORE_DIGIT = 0.0011  # scores have three decimals
Span = tuple[float, float]
Sentence = tuple[str, float, float, list[dict[str, Any]]]


class Remembered:
    """A network that computes each input once.

    Ours and whisperx's differ in nothing else, and ``computed`` tells how often they asked for something new.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._outputs: dict[tuple[bytes, bool], Any] = {}
        self.computed = 0

    def __call__(self, batch: torch.Tensor, **lengths: torch.Tensor | None) -> Any:
        key = (batch.numpy().tobytes(), lengths.get("lengths") is not None)
        if key not in self._outputs:
            self.computed += 1
            self._outputs[key] = self._model(batch, **lengths)
        return self._outputs[key]


def align_ours(text: str, span: Span, samples: Samples, model: Any, metadata: dict[str, Any]) -> list[Sentence]:
    emissions = compute_emissions(samples, span, model, metadata["type"], "cpu")
    found = align_text(text, span, emissions, read_alphabet(metadata))
    return [
        (sentence.text, sentence.start, sentence.end, [word._asdict() for word in sentence.words]) for sentence in found
    ]


def align_stock(text: str, span: Span, samples: Samples, model: Any, metadata: dict[str, Any]) -> list[Sentence]:
    """What ``whisperx.alignment.align`` finds, with our sentence ends: its own would be downloaded."""
    piece = [{"start": span[0], "end": span[1], "text": text}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisperx.alignment, "nltk_load", load_for_nltk)
        found = whisperx.alignment.align(piece, model, metadata, samples, "cpu")["segments"]
    return [
        (sentence["text"], sentence["start"], sentence["end"], [_rename(word) for word in sentence["words"]])
        for sentence in found
        if sentence["words"]  # without words, it is the text that could not be aligned
    ]


def load_for_nltk(resource: str) -> Any:
    return load_splitter(resource.rpartition("/")[2].removesuffix(".pickle"))


def compare(text: str, span: Span, samples: Samples, model: Any, metadata: dict[str, Any]) -> int:
    """Assert that both find the same, to the millisecond; return the number of words."""
    network = Remembered(model)
    ours, stock = (find(text, span, samples, network, metadata) for find in SIDES)
    assert network.computed <= 1, "they cut the audio differently"
    assert without_scores(ours) == without_scores(stock), (text, span)
    words = [[word for *_, words in side for word in words] for side in (ours, stock)]
    for our, their in zip(*words, strict=True):
        assert our["score"] == pytest.approx(their["score"], abs=SCORE_DIGIT), (text, span)
    return len(words[0])


SIDES: tuple[Callable[..., list[Sentence]], ...] = (align_ours, align_stock)


def without_scores(sentences: list[Sentence]) -> list[Any]:
    return [(text, start, end, [{**word, "score": None} for word in words]) for text, start, end, words in sentences]


def seconds(samples: Samples) -> float:
    return len(samples) / SAMPLE_RATE


def _rename(word: dict[str, Any]) -> dict[str, Any]:
    return {"text": word["word"], **{name: word.get(name) for name in ("start", "end", "score")}}
