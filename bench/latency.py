"""Measure how soon an idle service starts a task and a busy one answers."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import requests

from app.core.db.states import TERMINAL
from bench import places, recordings
from bench.figures import Figure, percentile
from bench.throughput import epoch
from tests.service import SAMPLE, Service

REPETITIONS = 20
SECONDS, RATE, CLIENTS = 20.0, 100, 20
LONG_SECONDS = 120.0
PICKUP_SECONDS, P99_MILLISECONDS = 0.2, 20.0


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        yield from pickup(service, 3 if quick else REPETITIONS)
        yield from polling(service, 4.0 if quick else SECONDS)


def pickup(service: Service, repetitions: int) -> Iterator[Figure]:
    """Measure from created_at, and from the POST's response, to started_at.

    All use one machine's clock.
    """
    short = recordings.write(service.folder / "short.wav", recordings.speech(), 3.0)
    since_row, since_answer = [], []
    for number in range(repetitions):
        time.sleep(0.3 + 0.037 * number)  # at varying points of the supervisor's polling interval
        identifier = service.submit(short)
        answered = time.time()
        task = service.finished(identifier)
        started = epoch(task["started_at"])
        since_row.append(started - epoch(task["created_at"]))
        since_answer.append(started - answered)
    yield Figure(f"idle: created_at to started_at, median of {repetitions}", median(since_row), "s")
    yield Figure(f"idle: created_at to started_at, max of {repetitions}", max(since_row), "s", PICKUP_SECONDS)
    latest = max(0.0, *since_answer)  # negative when the task started before the response arrived
    yield Figure(f"idle: POST answered to started_at, max of {repetitions}", latest, "s", PICKUP_SECONDS)


def polling(service: Service, seconds: float) -> Iterator[Figure]:
    """Poll tasks on a fixed schedule while the device is busy."""
    done = service.submit(SAMPLE)
    service.finished(done)
    waiting = keep_busy(service, seconds)
    urls = [f"{service.url}/task/{identifier}" for identifier in [done, *waiting]]
    delays, errors = send_on_schedule(urls, seconds, RATE)
    assert service.task(waiting[-1])["status"] not in TERMINAL, "the device ran out of work"
    yield Figure(f"busy: GET /task at {RATE}/s, p50", 1000 * percentile(delays, 50), "ms")
    yield Figure(f"busy: GET /task at {RATE}/s, p99", 1000 * percentile(delays, 99), "ms", P99_MILLISECONDS)
    yield Figure(f"busy: GET /task at {RATE}/s, max", 1000 * max(delays), "ms")
    yield Figure(f"busy: GET /task, errors of {len(delays)}", errors, "", 0)


def keep_busy(service: Service, seconds: float) -> list[str]:
    """Queue more work than the device can do in ``seconds``, even if several tasks take half of the time of single ones."""
    path = recordings.write(service.folder / "long.wav", recordings.speech(), LONG_SECONDS)
    duration: float = service.finished(service.submit(path))["duration"]
    return [service.submit(path) for _ in range(2 + int(4 * seconds / duration))]


def send_on_schedule(urls: list[str], seconds: float, rate: int) -> tuple[list[float], int]:
    """Send ``rate`` requests per second.

    Each delay counts from when its request was due.
    So a slow answer does not hide the delay of those that wait behind it (coordinated omission).
    """
    due = iter([(number / rate, url) for number, url in zip(range(int(rate * seconds)), itertools.cycle(urls))])
    delays: list[float] = []
    errors: list[str] = []
    taking, start = threading.Lock(), time.perf_counter() + 0.2

    def client() -> None:
        with requests.Session() as session:
            while True:
                with taking:
                    after, url = next(due, (0.0, ""))
                if not url:
                    return
                time.sleep(max(0.0, start + after - time.perf_counter()))
                if not _is_answered(session, url):
                    errors.append(url)
                delays.append(time.perf_counter() - start - after)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for running in [pool.submit(client) for _ in range(CLIENTS)]:
            running.result()
    return delays, len(errors)


def _is_answered(session: requests.Session, url: str) -> bool:
    try:
        return session.get(url, timeout=10).status_code == 200
    except requests.RequestException:
        return False
