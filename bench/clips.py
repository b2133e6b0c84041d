"""Measure many short clips at once, against the same ones sent one at a time to a service that runs single tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import median

from bench import base, reading
from bench.client import Client, list_words
from bench.figures import Figure
from bench.hour import processor_seconds
from tests.service import Service

COUNT, CLIENTS, ROUNDS = 64, 16, 3
QUICK_COUNT, QUICK_CLIENTS, QUICK_ROUNDS = 8, 4, 1
SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 10.0
MOST = 0.55

Words = dict[str, list[str]]


def measure(quick: bool) -> Iterator[Figure]:
    count, clients, rounds = (QUICK_COUNT, QUICK_CLIENTS, QUICK_ROUNDS) if quick else (COUNT, CLIENTS, ROUNDS)
    clips = reading.choose_clips(count, SHORTEST_SECONDS, LONGEST_SECONDS)
    with base.service() as shared, base.service(tasks_per_device=1) as single:
        paths = [reading.write_speech(shared.folder / f"{number:02}.flac", clip) for number, clip in enumerate(clips)]
        send(shared.url, paths[:clients], clients)  # warm up both sides
        send(single.url, paths[:2], 1)
        together, alone, differ = [], [], 0
        for _ in range(rounds):  # alternating, so that noise on the machine affects both
            *seconds, found = _measure(shared, paths, clients)
            together.append(seconds)
            *seconds, expected = _measure(single, paths, 1)
            alone.append(seconds)
            differ += sum(found[name] != expected[name] for name in expected)
    empty = sum(not words for words in expected.values())
    (slow, slow_busy), (fast, fast_busy) = (map(median, zip(*side, strict=True)) for side in (alone, together))
    yield Figure(f"{count} clips, one at a time, median of {rounds}", slow, "s")
    yield Figure(f"{count} clips, {clients} clients at once, median of {rounds}", fast, "s")
    yield Figure("at once / one at a time", fast / slow, "", MOST)
    yield Figure("processor time of the device process, at once / one", fast_busy / slow_busy)
    yield Figure(f"clips whose words differ, of {rounds * count}", differ, "", 0)
    yield Figure("clips without words", empty, "", 0)


def _measure(service: Service, paths: list[Path], clients: int) -> tuple[float, float, Words]:
    """Add the seconds of processor time to what ``send`` returns."""
    (process,) = service.device_processes()
    busy = processor_seconds(process)
    seconds, words = send(service.url, paths, clients)
    return seconds, processor_seconds(process) - busy, words


def send(url: str, paths: list[Path], clients: int) -> tuple[float, Words]:
    """Let ``clients`` send the recordings, each the next one when its last transcript is there.

    Return the seconds from the first POST to the last transcript, and the words of each recording.
    """
    waiting: SimpleQueue[Path] = SimpleQueue()
    for path in paths:
        waiting.put(path)
    words: Words = {}

    def work() -> None:
        client = Client(url)
        while True:
            try:
                path = waiting.get_nowait()
            except Empty:
                return
            words[path.name] = list_words(client.transcribe(path))

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for running in [pool.submit(work) for _ in range(clients)]:
            running.result()
    return time.perf_counter() - started, words
