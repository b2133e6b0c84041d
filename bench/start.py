"""Measure the second start of `make serve`: seconds until a short clip is transcribed, with Whisper base on disk."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import base, places, reading
from bench.client import Client, list_words
from bench.figures import Figure
from bench.hour import processor_seconds
from bench.startup import POLL_SECONDS, START_PATIENCE, is_alive, start_make, wait_or_kill
from tests.service import free_port, until

ROUNDS, QUICK_ROUNDS = 5, 1
SHORTEST_SECONDS, LONGEST_SECONDS = 9.0, 10.0
MOST = 8.0


def measure(quick: bool) -> Iterator[Figure]:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with places.folder() as folder:
        config = base.write_config(folder)
        (chosen,) = reading.choose_clips(1, SHORTEST_SECONDS, LONGEST_SECONDS)
        clip = reading.write_speech(folder / "clip.flac", chosen)
        first, expected = _serve(folder, config, clip)
        later = [_serve(folder, config, clip) for _ in range(rounds)]
        left = len(places.started_in(folder))
    yield Figure("first make serve to the first transcript", first[1], "s")
    alive = median(times[0] for times, _ in later)
    yield Figure(f"later make serve to /health/live, median of {rounds}", alive, "s")
    transcribed = median(times[1] for times, _ in later)
    yield Figure(f"later make serve to the first transcript, median of {rounds}", transcribed, "s", MOST)
    yield Figure("the same, max", max(times[1] for times, _ in later), "s")
    yield Figure("the same, processor time", median(times[2] for times, _ in later), "s")
    yield Figure("the same clip, sent again", median(times[3] for times, _ in later), "s")
    yield Figure("transcripts without words", sum(not words for _, words in later) + (not expected), "", 0)
    yield Figure("transcripts that differ", sum(words != expected for _, words in later), "", 0)
    yield Figure("processes left behind", left, "", 0)


def _serve(folder: Path, config: Path, clip: Path) -> tuple[tuple[float, float, float, float], list[str]]:
    """Run `make serve`, and send ``clip`` as soon as it answers.

    Return the seconds from the start to the first answer and to the transcript, those of processor time until then, those
    of the same clip sent again, and the words.
    """
    port = free_port()
    started = time.perf_counter()
    process = start_make(folder, port, config)
    try:
        until(lambda: is_alive(port), "make serve answers", START_PATIENCE, POLL_SECONDS)
        answered = time.perf_counter()
        client = Client(f"http://127.0.0.1:{port}")
        task = client.transcribe(clip)
        transcribed = time.perf_counter()
        busy = sum(map(processor_seconds, places.started_in(folder)))
        again = time.perf_counter()
        client.transcribe(clip)
        repeated = time.perf_counter()
    finally:
        os.killpg(process.pid, signal.SIGINT)
        wait_or_kill(process)
    return (answered - started, transcribed - started, busy, repeated - again), list_words(task)
