"""Measure how long a short clip waits for a long recording on the same device, and what its clips cost the long one."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from bench import base, reading
from bench.client import Client, list_words
from bench.figures import Figure, percentile
from tests.service import Service, until

MINUTES, QUICK_MINUTES = 60, 2
CLIPS, QUICK_CLIPS = 10, 2
SHORTEST_SECONDS, LONGEST_SECONDS = 9.0, 10.0
SENT = (0.05, 0.9)  # of the time that the long recording takes alone
MOST_LATENCY, MOST_SLOWER = 3.0, 1.1


def measure(quick: bool) -> Iterator[Figure]:
    minutes, count = (QUICK_MINUTES, QUICK_CLIPS) if quick else (MINUTES, CLIPS)
    with base.service() as service:
        sentences = reading.repeat_sentences(60.0 * minutes)
        long = reading.write_speech(service.folder / "long.flac", sentences)
        (clip,) = reading.choose_clips(1, SHORTEST_SECONDS, LONGEST_SECONDS)
        short = reading.write_speech(service.folder / "short.flac", clip)
        client = Client(service.url)
        client.transcribe(short)
        idle = [_time_clip(service.url, short) for _ in range(count)]
        alone = client.transcribe(long)
        together, busy = _disturb(service, long, short, count, alone["duration"])
    yield Figure(f"10 s clip on an idle service, median of {count}", median(seconds for seconds, _ in idle), "s")
    unhurried = percentile([seconds for seconds, _ in idle], 95)
    yield Figure(f"10 s clip on an idle service, p95 of {count}", unhurried, "s")
    hurried = percentile([seconds for seconds, _ in busy], 95)
    yield Figure(f"10 s clip during {minutes} minutes, median of {count}", median(seconds for seconds, _ in busy), "s")
    yield Figure(f"10 s clip during {minutes} minutes, p95 of {count}", hurried, "s")
    yield Figure("clip, p95: during the long one / idle", hurried / unhurried, "", MOST_LATENCY)
    yield Figure(f"{minutes} minutes alone", alone["duration"], "s")
    yield Figure(f"{minutes} minutes with {count} clips", together["duration"], "s")
    yield Figure("long one: with clips / alone", together["duration"] / alone["duration"], "", MOST_SLOWER)
    yield Figure("words of the long one that differ", _count_different(list_words(alone), list_words(together)), "", 0)
    expected = idle[0][1]
    yield Figure("clips whose words differ", sum(words != expected for _, words in [*idle, *busy]), "", 0)
    yield Figure("words of the clip and the long one", len(expected) + len(list_words(alone)))


def _disturb(
    service: Service, long: Path, short: Path, count: int, seconds: float
) -> tuple[dict[str, Any], list[tuple[float, list[str]]]]:
    """Transcribe ``long``, and send ``short`` meanwhile, once at a random moment of each ``count``-th of ``seconds``.

    Return the task of the long one, and the latency and the words of each short one.
    """
    chance = random.Random(0)
    first, last = (share * seconds for share in SENT)
    moments = [first + (number + chance.random()) / count * (last - first) for number in range(count)]
    client = Client(service.url)
    identifier = client.submit(long)
    until(lambda: service.task(identifier)["status"] != "QUEUED", "the long recording is started")
    started = time.perf_counter()

    def send(moment: float) -> tuple[float, list[str]]:
        time.sleep(max(0.0, started + moment - time.perf_counter()))
        return _time_clip(service.url, short)

    with ThreadPoolExecutor(count) as pool:  # one may be late when the next one is due
        sent = [pool.submit(send, moment) for moment in moments]
        return client.wait(identifier), [clip.result() for clip in sent]


def _time_clip(url: str, clip: Path) -> tuple[float, list[str]]:
    """Return the seconds from the POST to the transcript, and its words."""
    started = time.perf_counter()
    task = Client(url).transcribe(clip)
    return time.perf_counter() - started, list_words(task)


def _count_different(one: list[str], other: list[str]) -> int:
    return sum(a != b for a, b in itertools.zip_longest(one, other))
