"""Compare alignment with whisperx's on six minutes of read speech: without the network, and as a whole."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from app.core.db.states import TRANSCRIPTION
from app.core.params import Params
from app.core.settings import load
from bench.figures import Figure
from tests import recordings
from tests.real.speech import READ, read_sentences
from tests.service import MINI
from workers.audio.decode import Samples
from workers.device import slots
from workers.device.environment import prepare_environment
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels

SECONDS, QUICK_SECONDS = 3600.0, 60.0
WINDOW_SECONDS = 28.0
ROUNDS, QUICK_ROUNDS = 5, 1
MOST_WITHOUT_NETWORK = 0.1

Timed = tuple[float, list[tuple[str, float, float]]]


def measure(quick: bool) -> Iterator[Figure]:
    settings = load({"CONFIG": str(MINI / "config.yaml")}, root=MINI)
    slot = slots.list_slots(settings.workers)[0]
    prepare_environment(slot)
    import torch

    torch.set_num_threads(slot.threads)
    models = WarmModels(slot, settings)
    job = Job("bench", 1, TRANSCRIPTION, Params(), [], str(READ))
    run = Run(job, slot, settings, models, lambda report: None)
    model, metadata = models.aligner("en")

    samples = recordings.speech(READ.with_suffix(".opus")).astype(np.float32) / 32768
    windows = _make_windows(QUICK_SECONDS if quick else SECONDS)
    with torch.inference_mode():
        cuts = (samples[int(window["start"] * 16_000) : int(window["end"] * 16_000)] for window in windows)
        outputs = [model(torch.from_numpy(cut)[None]).logits for cut in cuts]
    replay = itertools.cycle(outputs)  # both sides ask for the windows in order

    def network(batch: torch.Tensor) -> Any:
        return SimpleNamespace(logits=next(replay))

    rounds = QUICK_ROUNDS if quick else ROUNDS
    single = Run(job, SimpleNamespace(device="cpu", threads=1), settings, models, lambda report: None)
    sides = partial(_align_ours, run=single), _align_stock
    ours, stock, differ = _compare(sides, windows, samples, (network, metadata), rounds)
    yield Figure("whisperx, without the network", stock, "s")
    yield Figure("ours, without the network", ours, "s")
    yield Figure("ours / whisperx, without the network", ours / stock, "", MOST_WITHOUT_NETWORK)
    yield Figure("words that differ", differ, "", 0)
    sides = partial(_align_ours, run=run), _align_stock
    ours, stock, _ = _compare(sides, windows, samples, (model, metadata), rounds)
    yield Figure("whisperx, mini aligner", stock, "s")
    yield Figure("ours, mini aligner", ours, "s")
    yield Figure("ours / whisperx, mini aligner", ours / stock)


def _make_windows(seconds: float) -> list[dict[str, Any]]:
    """Join sentences to windows of the decoder's length."""
    windows: list[dict[str, Any]] = []
    for sentence in read_sentences(seconds):
        if windows and sentence.end - windows[-1]["start"] <= WINDOW_SECONDS:
            windows[-1]["text"] += f" {sentence.text}"
            windows[-1]["end"] = sentence.end
        else:
            windows.append({**sentence._asdict(), "tokens": []})
    return windows


def _compare(
    sides: tuple[Callable[..., Timed], ...], windows: list[dict[str, Any]], samples: Samples, aligner: Any, rounds: int
) -> tuple[float, float, int]:
    """Return the median seconds of both sides, which alternate, and how many words differ."""
    pairs = [[side(windows, samples, aligner) for side in sides] for _ in range(rounds + 1)]
    ours, stock = zip(*pairs[1:], strict=True)  # the first round loads what they use
    differ = len(ours[0][1]) != len(stock[0][1]) or sum(a != b for a, b in zip(ours[0][1], stock[0][1], strict=True))
    return *(statistics.median(seconds for seconds, _ in side) for side in (ours, stock)), int(differ)


def _align_ours(windows: list[dict[str, Any]], samples: Samples, aligner: Any, run: Run[Params]) -> Timed:
    from workers.stages import align

    started = time.perf_counter()
    segments: list[Any] = windows
    found = align.align(segments, samples, aligner, lambda tokens: "", list, run)
    seconds = time.perf_counter() - started
    assert run.warnings == [], run.warnings
    return seconds, [(word["word"], word["start"], word["end"]) for segment in found for word in segment["words"]]


def _align_stock(windows: list[dict[str, Any]], samples: Samples, aligner: Any) -> Timed:
    import whisperx.alignment

    from tests.workers.alignment.stock import load_for_nltk

    whisperx.alignment.nltk_load = load_for_nltk
    started = time.perf_counter()
    found = whisperx.alignment.align(windows, *aligner, samples, "cpu")["word_segments"]
    return time.perf_counter() - started, [(word["word"], word["start"], word["end"]) for word in found]
