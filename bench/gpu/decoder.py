"""Say whether CTranslate2 can use the GPU, and decode noise with the mini model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from bench.figures import Figure
from bench.gpu.absent import is_installed

MODEL = Path(__file__).parents[2] / "models" / "mini" / "whisper"
PROMPT = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
MELS, FRAMES = 80, 3000
TOKENS = 64
ROUNDS = 5
BATCH_SIZES = (1, 8)


def measure(device: str, quick: bool) -> Iterator[Figure | str]:
    if not is_installed("ctranslate2"):
        yield "CTranslate2 is not installed here: skipped"
        return
    import ctranslate2

    yield f"CTranslate2 {ctranslate2.__version__}"
    yield Figure("CUDA devices that it finds", ctranslate2.get_cuda_device_count())
    yield f"compute types: {', '.join(sorted(ctranslate2.get_supported_compute_types(device)))}"
    model = ctranslate2.models.Whisper(str(MODEL), device=device, compute_type="auto")
    noise = np.random.default_rng(0).standard_normal((max(BATCH_SIZES), MELS, FRAMES), dtype=np.float32)
    for size in BATCH_SIZES:
        features = ctranslate2.StorageView.from_array(noise[:size].copy())
        seconds = []
        for _ in range(2 if quick else ROUNDS):
            started = time.perf_counter()
            results = model.generate(features, [PROMPT] * size, beam_size=5, max_length=TOKENS)
            seconds.append(time.perf_counter() - started)
        yield Figure(f"mini model, {size} windows in one call", median(seconds[1:]), "s")
        yield Figure(f"mini model, {size} windows, tokens", sum(len(result.sequences_ids[0]) for result in results))
