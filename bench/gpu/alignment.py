"""Compare alignment with whisperx's own, with a network of real size and random weights.

The times depend on the size of the network and of the text, not on the weights.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

import workers.alignment.sentences
from bench.figures import MEGABYTE, Figure
from bench.gpu.absent import is_installed
from bench.gpu.sentences import Splitter, make_windows, split_sentences
from workers.alignment.alphabet import read_alphabet
from workers.alignment.emissions import compute_emissions
from workers.alignment.sentences import align_text

RATE = 16_000
LABELS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"etaonihsrdlumwcfgypbvk'xjqz")  # those of wav2vec2-base-960h
METADATA = {"language": "en", "dictionary": {label: n for n, label in enumerate(LABELS)}, "type": "huggingface"}
BASE: dict[str, Any] = {}
LARGE: dict[str, Any] = {  # as facebook/wav2vec2-large-xlsr-53
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
SMALL: dict[str, Any] = {
    "num_hidden_layers": 1,
    "hidden_size": 96,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": (32,) * 7,
}
ROUNDS = 3
BATCH_SIZE = 8
BATCH_SECONDS = 28.0
TOLERANCE = 0.0015  # seconds; times have three decimals

Words = list[tuple[str, float, float]]
Align = Callable[[list[dict[str, Any]], np.ndarray, Any, str], Words]


def measure(device: str, quick: bool) -> Iterator[Figure | str]:
    has_stock = is_installed("whisperx")
    if not has_stock:
        yield "whisperx is not installed here: its alignment is skipped"
    sizes = {"small": SMALL} if quick else {"base": BASE, "large": LARGE} if device == "cuda" else {"base": BASE}
    windows = make_windows(10.0 if quick else 600.0 if device == "cuda" else 120.0)
    rounds = 1 if quick else ROUNDS
    noise = np.random.default_rng(0).standard_normal(int((windows[-1]["end"] + 1) * RATE), dtype=np.float32)
    for name, size in sizes.items():
        yield from _measure_network(name, size, windows, 0.1 * noise, device, has_stock, rounds)


def _measure_network(
    name: str,
    size: dict[str, Any],
    windows: list[dict[str, Any]],
    samples: np.ndarray,
    device: str,
    has_stock: bool,
    rounds: int,
) -> Iterator[Figure]:
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(LABELS), **size)).to(device).eval()
    sides: list[Align] = [_align_ours, _align_stock] if has_stock else [_align_ours]
    for side in sides:
        side(windows[:2], samples, model, device)  # warm up
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    pairs = [[_time(side, windows, samples, model, device) for side in sides] for _ in range(rounds)]
    seconds = [median(pair[number][0] for pair in pairs) for number in range(len(sides))]
    minutes = windows[-1]["end"] / 60
    yield Figure(f"{name}: {minutes:.1f} minutes, ours", seconds[0], "s")
    yield Figure(f"{name}: words", len(pairs[0][0][1]))
    if has_stock:
        yield Figure(f"{name}: {minutes:.1f} minutes, whisperx", seconds[1], "s")
        yield Figure(f"{name}: ours / whisperx", seconds[0] / seconds[1])
        differ = sum(not _is_same(*both) for both in itertools.zip_longest(pairs[0][0][1], pairs[0][1][1]))
        yield Figure(f"{name}: words that differ", differ, "", 0)
    if device == "cuda":
        weights = sum(each.numel() * each.element_size() for each in model.parameters())
        yield Figure(f"{name}: weights", weights / MEGABYTE, "MB")
        yield Figure(f"{name}: peak memory with weights", torch.cuda.max_memory_allocated() / MEGABYTE, "MB")
    yield from _measure_batches(name, model, samples, device, rounds)


def _align_ours(windows: list[dict[str, Any]], samples: np.ndarray, model: Any, device: str) -> Words:
    workers.alignment.sentences.split_sentences = split_sentences  # NLTK may be absent
    alphabet = read_alphabet(METADATA)
    words: Words = []
    for window in windows:
        span = window["start"], window["end"]
        emissions = compute_emissions(samples, span, model, "huggingface", device)
        for sentence in align_text(window["text"], span, emissions, alphabet):
            words += [(word.text, word.start or 0.0, word.end or 0.0) for word in sentence.words]
    return words


def _align_stock(windows: list[dict[str, Any]], samples: np.ndarray, model: Any, device: str) -> Words:
    import whisperx.alignment

    whisperx.alignment.nltk_load = lambda resource: Splitter()
    found = whisperx.alignment.align(windows, model, METADATA, samples, device)["word_segments"]
    return [(word["word"], word.get("start", 0.0), word.get("end", 0.0)) for word in found]


def _measure_batches(name: str, model: Any, samples: np.ndarray, device: str, rounds: int) -> Iterator[Figure]:
    """Measure what batches would save: the network on windows of the same length, one by one and together."""
    length = min(int(BATCH_SECONDS * RATE), len(samples))
    batch = torch.from_numpy(np.resize(samples, (BATCH_SIZE, length)).copy())

    def compute(size: int) -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for first in range(0, BATCH_SIZE, size):
                model(batch[first : first + size].to(device)).logits.cpu()
        return time.perf_counter() - started

    pairs = [(compute(1), compute(BATCH_SIZE)) for _ in range(rounds)]
    one, together = (median(side) for side in zip(*pairs, strict=True))
    yield Figure(f"{name}: network, {BATCH_SIZE} windows one by one", one, "s")
    yield Figure(f"{name}: network, in a batch / one by one", together / one)


def _time(side: Align, *arguments: Any) -> tuple[float, Words]:
    started = time.perf_counter()
    words = side(*arguments)  # both end with a copy to the CPU, which waits for the GPU
    return time.perf_counter() - started, words


def _is_same(one: tuple[str, float, float] | None, other: tuple[str, float, float] | None) -> bool:
    if one is None or other is None:
        return False
    return one[0] == other[0] and all(abs(a - b) <= TOLERANCE for a, b in zip(one[1:], other[1:], strict=True))
