"""Measure whether clients that wait leave the service free for those that poll."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import requests

from bench import places
from bench.figures import Figure, percentile
from bench.latency import keep_busy, send_on_schedule
from tests.service import Service

CLIENTS, SECONDS, WAIT = 200, 20.0, 10
RATE, P99_MILLISECONDS = 50, 50.0
STARTED_SECONDS = 3.0  # until all clients have connected


def measure(quick: bool) -> Iterator[Figure]:
    seconds = 4.0 if quick else SECONDS
    with places.service() as service:
        waiting = keep_busy(service, seconds + STARTED_SECONDS)
        statuses: Counter[int] = Counter()
        ended = threading.Event()
        clients = [
            threading.Thread(target=_wait, args=(service, waiting[-1], number, ended, statuses))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(STARTED_SECONDS)
        urls = [f"{service.url}/task/{identifier}" for identifier in waiting]
        delays, errors = send_on_schedule(urls, seconds, RATE)
        ended.set()
        for client in clients:
            client.join()
    name = f"{CLIENTS} clients wait: GET /task at {RATE}/s"
    yield Figure(f"{name}, p50", 1000 * percentile(delays, 50), "ms")
    yield Figure(f"{name}, p99", 1000 * percentile(delays, 99), "ms", P99_MILLISECONDS)
    yield Figure(f"{name}, errors of {len(delays)}", errors, "", 0)
    failed = sum(count for status, count in statuses.items() if status >= 500)
    yield Figure(f"5xx among {statuses.total()} answers to waiting clients", failed, "", 0)


def _wait(service: Service, identifier: str, number: int, ended: threading.Event, statuses: Counter[int]) -> None:
    """Wait for a task as clients do: half by long polls, half by events, and again after Retry-After."""
    path = f"/task/{identifier}/events" if number % 2 else f"/task/{identifier}?wait={WAIT}"
    while not ended.is_set():
        pause = 1.0
        try:
            with requests.get(service.url + path, timeout=30, stream=True) as answer:
                statuses[answer.status_code] += 1
                for _ in answer.iter_lines():
                    if ended.is_set():
                        return
                was_waiting = "Preference-Applied" in answer.headers
                pause = 0.0 if was_waiting else float(answer.headers.get("Retry-After", 0))
        except requests.RequestException:
            statuses[599] += 1  # no answer
        ended.wait(pause)
