"""From the same output of the network, whisperx's own function finds the same sentences, words and times."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torchaudio.models import wav2vec2_model

from tests import recordings
from tests.real.speech import READ, read_sentences
from tests.service import MINI
from tests.workers.alignment.stock import SIDES, Span, compare, seconds
from workers.audio.decode import Samples
from workers.models.cache import WarmModels

SAMPLES = ("short", "german", "conversation", "conversation-over-music", "voices2", "voices3", "music", "silence")
TEXTS = {
    "empty": "",
    "spaces": "   ",
    "punctuation": "?! … —",
    "digits": " 7 and 3.5 are 10,5, or 1 000 ",
    "only digits": "1984",
    "foreign": "hello привет 日本 ñandú Straße",
    "longer in lower case": "İstanbul İzmir İ good",
    "sentences": "Hello. Thanks! Is the sound good? Dr. Smith says e.g. yes.",
    "spaces inside": "hello   thanks  good ",
    "separator": "hello | thanks |good",
    "lines": "hello.\nThanks\tgood.\n\nYes.",
    "punctuation alone": 'hello … " thanks " .',
    "quoted": 'He said "Hello." She said "(Thanks.)" Yes.',
    "long words": "tomorrow'stomorrow tomorrow-tomorrow conversation's",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: on a busy machine, threads wait longer for each other than these small models take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def aligners(models: WarmModels) -> dict[str, tuple[Any, dict[str, Any]]]:
    """The mini aligner by language; also as of languages without spaces, or without a separator."""
    model, metadata = models.aligner("en")
    labels = {character: label for character, label in metadata["dictionary"].items() if character != "|"}
    return {
        "en": (model, metadata),
        "de": models.aligner("de"),
        "xx": (model, {**metadata, "language": "xx", "dictionary": labels}),
        "ja": (model, {**metadata, "language": "ja"}),
    }


@cache
def load(name: str) -> Samples:
    file = next(MINI.glob(f"samples/{name}.[fo][lg]*"))
    return recordings.speech(file).astype(np.float32) / 32768


def cut(words: list[dict[str, Any]], generator: random.Random) -> Iterator[tuple[str, Span]]:
    """Cut a recording into pieces as a decoder does, with rough times, capitals and punctuation."""
    while words:
        some, words = (words[: (count := generator.randint(1, 25))], words[count:])
        marks = [generator.choice(["", "", "", ",", ".", "!", " –", ". 12"]) for _ in some]
        text = " ".join(word["word"] + mark for word, mark in zip(some, marks, strict=True))
        text = ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))
        yield f" {text}", (max(0.0, some[0]["start"] - generator.random()), some[-1]["end"] + generator.random())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(aligners: dict[str, Any], name: str) -> None:
    truth = json.loads((MINI / "samples" / f"{name}.json").read_text())
    samples, aligner = load(name), aligners[truth["language"]]
    pieces = list(cut(truth["words"], random.Random(1)))
    words = sum(compare(text, span, samples, *aligner) for text, span in [*pieces, ("nothing was said", (1.0, 4.5))])
    assert words >= len(truth["words"])


def test_whole_recording(aligners: dict[str, Any]) -> None:
    text, samples = json.loads((MINI / "samples" / "german.json").read_text())["text"], load("german")
    assert compare(text, (0.0, seconds(samples)), samples, *aligners["de"]) == len(text.split())


def test_utterances_of_both_languages(aligners: dict[str, Any]) -> None:
    samples = load("utterances")
    for said in json.loads((MINI / "samples" / "utterances.json").read_text())["utterances"]:
        span = said["start"], said["end"]
        assert compare(said["text"], span, samples, *aligners[said["language"]]) == len(said["text"].split())


@pytest.mark.parametrize("language", ["en", "de", "xx", "ja"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_odd_texts(aligners: dict[str, Any], text: str, language: str) -> None:
    words = compare(text, (0.3, 4.7), load("short"), *aligners[language])
    assert bool(words) == any(character.isalnum() or character in "?!…" for character in text)


@pytest.mark.parametrize("span", [(1.0, 1.06), (1.0, 1.3), (22.5, 22.56), (22.0, 99.0)])
def test_short_spans_and_those_beyond_the_end(aligners: dict[str, Any], span: Span) -> None:
    for text in ("a", "no", "hello thanks good sound tomorrow", "7"):
        compare(text, span, load("short"), *aligners["en"])


@pytest.mark.parametrize("side", SIDES)
def test_network_refuses_what_is_shorter_than_its_frames(aligners: dict[str, Any], side: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="Kernel size"):
        side("a", (1.0, 1.001), load("short"), *aligners["en"])


@pytest.mark.parametrize("seed", range(2))
def test_any_mixture_of_characters(aligners: dict[str, Any], seed: int) -> None:
    generator, samples = random.Random(seed), load("short")
    for _ in range(20):
        text = "".join(generator.choice("abe.  |7\n!éßİ'日") for _ in range(generator.randint(1, 50)))
        language = generator.choice(sorted(aligners))
        compare(text, (start := generator.random() * 9, start + generator.random() * 6), samples, *aligners[language])


def test_read_speech(aligners: dict[str, Any]) -> None:
    samples = recordings.speech(READ.with_suffix(".opus")).astype(np.float32) / 32768
    sentences = read_sentences(60.0)
    for first in range(0, len(sentences), 4):
        some = sentences[first : first + 4]
        text = " ".join(sentence.text for sentence in some)
        assert compare(text, (some[0].start, some[-1].end), samples, *aligners["en"]) == len(text.split())


@pytest.mark.parametrize("span", [(0.0, 0.002), (0.0, 0.024), (0.0, 0.025), (1.0, 3.0)])
def test_models_of_torchaudio(span: Span) -> None:
    torch.manual_seed(0)
    model = wav2vec2_model(
        extractor_mode="layer_norm",
        extractor_conv_layer_config=[(16, 10, 5), (16, 8, 8), (16, 4, 8)],
        extractor_conv_bias=False,
        encoder_embed_dim=16,
        encoder_projection_dropout=0.0,
        encoder_pos_conv_kernel=8,
        encoder_pos_conv_groups=2,
        encoder_num_layers=1,
        encoder_num_heads=2,
        encoder_attention_dropout=0.0,
        encoder_ff_interm_features=16,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.0,
        encoder_layer_norm_first=False,
        encoder_layer_drop=0.0,
        aux_num_out=28,
    ).eval()
    dictionary = {character: label for label, character in enumerate("-|etaoinshrdlumwcfgypbvk'xjq")}
    metadata = {"language": "en", "dictionary": dictionary, "type": "torchaudio"}
    assert compare("a", span, load("short"), model, metadata) == 1
    compare("hello, 2 zebras", span, load("short"), model, metadata)


def test_damaged_output_is_scored_as_in_whisperx(aligners: dict[str, Any]) -> None:
    samples, (model, metadata) = load("short"), aligners["en"]

    def damaged(batch: torch.Tensor) -> Any:
        output = model(batch)
        output.logits[:, 30:] = torch.nan
        return output

    assert compare("hello", (0.3, 1.6), samples, damaged, metadata) == 1


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0)])
def test_sentences_are_joined_at_equal_times_and_sorted(aligners: dict[str, Any], language: str, span: Span) -> None:
    metadata = aligners[language][1]
    logits = torch.randn(1, 60, len(metadata["dictionary"]), generator=torch.Generator().manual_seed(0))
    found = compare("Hello. Thanks! Good.", span, load("short"), lambda batch: SimpleNamespace(logits=logits), metadata)
    assert found == (18 if language == "ja" else 3)
