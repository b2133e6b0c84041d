"""Read the metrics from the database, for each scrape anew.

So they are right for any number of web processes and supervisors, and survive restarts.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.core.db import heartbeats, request_totals, task_totals
from app.core.db.connection import read_clock
from app.core.db.request_totals import RequestTotal
from app.core.db.states import COMPLETED, FAILED, IN_PROGRESS, QUEUED, TASK_TYPES, TERMINAL
from app.core.db.task_totals import TaskTotal
from app.metrics import requests
from app.openapi import VERSION

DEVICE_STATES = ("starting", "idle", "busy", "down", "waiting", "requested")
Sums = dict[float, tuple[int, float]]  # bound of a bucket → number, seconds


class ServiceCollector(Collector):
    """The state of the service, and the totals of what it has done."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        yield make_gauge("speech_build_info", "The version of the service; the value is 1.", {VERSION: 1}, "version")
        yield from describe_tasks(task_totals.read())
        yield from describe_queue()
        yield from describe_workers()
        yield describe_requests(request_totals.read())
        free = shutil.disk_usage(self._cache).free
        yield GaugeMetricFamily("speech_cache_free_bytes", "Free disk space where recordings are stored.", free)


def describe_tasks(rows: Sequence[TaskTotal]) -> Iterator[Metric]:
    """Describe the tasks that have ended."""
    tasks: Counter[tuple[str, ...]] = Counter({(kind, status): 0 for kind in TASK_TYPES for status in TERMINAL})
    failures: Counter[tuple[str, ...]] = Counter()
    audio: dict[tuple[str, ...], float] = {(kind,): 0.0 for kind in TASK_TYPES}
    waits: dict[tuple[str, ...], Sums] = {(kind,): {} for kind in TASK_TYPES}
    runs: dict[tuple[str, ...], Sums] = {(kind,): {} for kind in TASK_TYPES}
    for row in rows:
        tasks[row.task_type, row.status] += row.tasks
        if row.status == FAILED:
            failures[row.task_type, row.error_code] += row.tasks
        if row.status == COMPLETED:
            audio[row.task_type,] = audio.get((row.task_type,), 0.0) + row.audio_seconds
        for bound, seconds, sums in ((row.wait_le, row.wait_seconds, waits), (row.run_le, row.run_seconds, runs)):
            if bound:  # the task was started
                add_to(sums.setdefault((row.task_type,), {}), bound, row.tasks, seconds)
    yield make_counter("speech_tasks", "Ended tasks.", tasks, "task_type", "status")
    yield make_counter("speech_task_failures", "Failed tasks, by cause.", failures, "task_type", "error_code")
    yield make_counter("speech_audio_seconds", "Seconds of audio in completed tasks.", audio, "task_type")
    say = "Seconds from the acceptance of a task to the start of its last run."
    yield make_histogram("speech_task_wait_seconds", say, task_totals.BOUNDS, waits, "task_type")
    say = "Seconds that the last run of a task took."
    yield make_histogram("speech_task_run_seconds", say, task_totals.BOUNDS, runs, "task_type")


def describe_queue() -> Iterator[Metric]:
    """Describe the tasks that wait or run."""
    for name, say, status in (
        ("speech_queue_tasks", "Waiting tasks.", QUEUED),
        ("speech_running_tasks", "Running tasks.", IN_PROGRESS),
    ):
        yield make_gauge(name, say, {kind: task_totals.count_tasks(kind, status) for kind in TASK_TYPES}, "task_type")
    oldest = task_totals.find_oldest_queued()
    age = 0.0 if oldest is None else max(0.0, read_clock() - oldest)
    yield GaugeMetricFamily("speech_queue_oldest_seconds", "Age of the oldest waiting task; 0 without one.", age)


def describe_workers() -> Iterator[Metric]:
    """Describe the supervisors that are alive, and their devices."""
    alive = heartbeats.list_alive()
    yield GaugeMetricFamily("speech_workers", "Supervisors with a recent heartbeat.", len(alive))
    states = Counter(device["state"] for worker in alive for device in json.loads(worker.devices))
    known = dict.fromkeys(DEVICE_STATES, 0) | states
    yield make_gauge("speech_devices", "Device processes of these supervisors.", known, "state")


def describe_requests(rows: Sequence[RequestTotal]) -> Metric:
    """Describe the requests that were answered."""
    sums: dict[tuple[str, ...], Sums] = {}
    for row in rows:
        of_kind = sums.setdefault((row.facade, row.method, str(row.status)), {})
        add_to(of_kind, row.le, row.requests, row.seconds)
    say = "Seconds from a request's head to the answer."
    name = "speech_http_request_duration_seconds"
    return make_histogram(name, say, requests.BOUNDS, sums, "facade", "method", "status")


def add_to(sums: Sums, bound: float, number: int, seconds: float) -> None:
    before = sums.get(bound, (0, 0.0))
    sums[bound] = (before[0] + number, before[1] + seconds)


def make_gauge(name: str, say: str, values: Mapping[str, float], label: str) -> Metric:
    family = GaugeMetricFamily(name, say, labels=[label])
    for text, value in values.items():
        family.add_metric([text], value)
    return family


def make_counter(name: str, say: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    """Make a counter; the exposition adds ``_total`` to its name."""
    family = CounterMetricFamily(name, say, labels=labels)
    for texts, value in values.items():
        family.add_metric(texts, value)
    return family


def make_histogram(
    name: str, say: str, bounds: Sequence[float], values: Mapping[tuple[str, ...], Sums], *labels: str
) -> Metric:
    family = HistogramMetricFamily(name, say, labels=labels)
    for texts, sums in values.items():
        # Totals may have other bounds than ``bounds`` if an earlier version wrote them.
        buckets = [
            (
                "+Inf" if bound == math.inf else str(bound),
                sum(number for below, (number, _) in sums.items() if below <= bound),
            )
            for bound in (*bounds, math.inf)
        ]
        family.add_metric(texts, buckets, sum(seconds for _, seconds in sums.values()))
    return family
