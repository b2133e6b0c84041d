"""Share a device by turns and batches, with a network of torch in the decoder's place.

It does what a decoder does: each step reads all weights, for one window or for several. So a batch costs little more
than one window.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import torch

from bench.figures import Figure, percentile
from workers.device.batcher import Batcher
from workers.device.turns import Share, Turns

CLIPS, CLIENTS, BATCH_SIZE = 64, 16, 8
LONG_BATCHES, VISITS = 60, 10
ROUNDS = 3
TOLERANCE = 0.02  # of the largest value: float16, and other sums for other sizes of the batch
MOST_LATENCY, MOST_SLOWER = 3.0, 1.1

Window = torch.Tensor


class Network:
    """Layers of the size of Whisper medium's decoder, run ``steps`` times; small on a CPU."""

    def __init__(self, device: str, quick: bool) -> None:
        self.device = device
        self.width, layers, self.steps = (1024, 24, 40) if device == "cuda" else (256, 4, 10 if quick else 40)
        kind = torch.float16 if device == "cuda" else torch.float32
        torch.manual_seed(0)
        self._layers = [
            (self._make_weights(self.width, 4 * self.width, kind), self._make_weights(4 * self.width, self.width, kind))
            for _ in range(layers)
        ]
        self.sizes: list[int] = []

    def decode(self, windows: list[Window]) -> list[Window]:
        """Return a vector for each of the windows, which are vectors, too."""
        self.sizes.append(len(windows))
        with torch.inference_mode():
            state = torch.stack(windows)
            for _ in range(self.steps):
                for up, down in self._layers:
                    state = torch.nn.functional.layer_norm(state + torch.relu(state @ up) @ down, (self.width,))
            return list(state.float().cpu())

    def make_windows(self, count: int) -> list[Window]:
        kind = self._layers[0][0].dtype
        return [torch.randn(self.width, device=self.device, dtype=kind) for _ in range(count)]

    def _make_weights(self, rows: int, columns: int, kind: torch.dtype) -> torch.Tensor:
        return (torch.randn(rows, columns, device=self.device) / rows**0.5).to(kind)


def measure(device: str, quick: bool) -> Iterator[Figure | str]:
    if device == "cpu":
        torch.set_num_threads(1)  # so small a network waits longer for a second thread than it saves
    network = Network(device, quick)
    network.decode(network.make_windows(BATCH_SIZE))  # warm up
    yield from _measure_clips(network)
    yield from _measure_fairness(network, 8 if quick else LONG_BATCHES)


def _measure_clips(network: Network) -> Iterator[Figure]:
    """Measure one window from each of many tasks: one task at a time, and with several tasks at once."""
    windows = network.make_windows(CLIPS)
    alone, together = [], []
    for _ in range(ROUNDS):
        seconds, expected = _decode_clips(network, windows, 1)
        alone.append(seconds)
        network.sizes.clear()
        seconds, found = _decode_clips(network, windows, CLIENTS)
        together.append(seconds)
    off = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True))
    yield Figure(f"{CLIPS} windows, one task at a time", median(alone), "s")
    yield Figure(f"{CLIPS} windows, {CLIENTS} tasks at once", median(together), "s")
    yield Figure("at once / one at a time", median(together) / median(alone))
    yield Figure("windows in a call, mean", sum(network.sizes) / len(network.sizes))
    yield Figure("windows in a call, max", max(network.sizes), "", BATCH_SIZE)
    yield Figure("results off by, at most", off, "", TOLERANCE)


def _decode_clips(network: Network, windows: list[Window], tasks: int) -> tuple[float, list[Window]]:
    turns = Turns()
    batcher = Batcher(turns, time.monotonic)

    def decode(window: Window) -> Window:
        return batcher.compute("decode", [window], network.decode, Share(), BATCH_SIZE)[0]

    started = time.perf_counter()
    with ThreadPoolExecutor(tasks) as pool:
        results = list(pool.map(decode, windows))
    return time.perf_counter() - started, results


def _measure_fairness(network: Network, batches: int) -> Iterator[Figure]:
    """Measure a task of one window beside one of many batches."""
    long, short = network.make_windows(batches * BATCH_SIZE), network.make_windows(1)
    turns = Turns()
    batcher = Batcher(turns, time.monotonic)

    def decode(windows: list[Window]) -> float:
        share = Share()
        started = time.perf_counter()
        for first in range(0, len(windows), BATCH_SIZE):
            batcher.compute("decode", windows[first : first + BATCH_SIZE], network.decode, share, BATCH_SIZE)
        return time.perf_counter() - started

    idle, busy, alone, disturbed = [], [], [], []
    chance = random.Random(0)
    for _ in range(ROUNDS):  # alternating, so that noise on the machine affects both
        idle += [decode(short) for _ in range(VISITS)]
        alone.append(decode(long))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(decode, long)
            for _ in range(VISITS):
                time.sleep(chance.uniform(0.2, 1.0) * alone[-1] / VISITS)
                busy.append(decode(short))
            disturbed.append(running.result())
    latency = percentile(busy, 95) / percentile(idle, 95)
    yield Figure(f"one window on an idle device, p95 of {len(idle)}", 1000 * percentile(idle, 95), "ms")
    yield Figure(f"one window during {batches} batches, p95 of {len(idle)}", 1000 * percentile(busy, 95), "ms")
    most = (MOST_LATENCY, MOST_SLOWER) if network.device == "cuda" else (None, None)  # on a CPU, batches save little
    yield Figure("one window: during the long task / idle", latency, "", most[0])
    yield Figure("long task: with the others / alone", median(disturbed) / median(alone), "", most[1])
