"""Memory and time of separating a long recording: the same work for every minute, and no more room for sixty than for five."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import requests

from bench import places
from bench.figures import MEGABYTE, Figure
from tests import recordings
from tests.service import SAMPLE, Service

MINUTES, QUICK_MINUTES = (10, 60), (1, 2)
GROWTH_MEGABYTES = 2000.0
LINEAR = 1.1
SAMPLED_SECONDS = 0.1
PATIENCE = 4 * 3600.0


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        (process,) = service.device_processes()
        idle = process.memory_info().rss
        yield Figure("device process, idle", idle / MEGABYTE, "MB")
        seconds, lengths = [], QUICK_MINUTES if quick else MINUTES
        for minutes in lengths:
            recording = _recording(service.folder, minutes)
            peak, done = _separated(service, process, recording)
            seconds.append(done["duration"])
            yield Figure(f"{minutes} minutes separated in", done["duration"], "s")
            yield Figure(f"{minutes} minutes, peak above idle", (peak - idle) / MEGABYTE, "MB", GROWTH_MEGABYTES)
        ratio = seconds[1] / seconds[0] / (lengths[1] / lengths[0])
        yield Figure("time for a minute of the longer one / the shorter", ratio, "", LINEAR)
        yield from _downloaded(service, done["identifier"])


def _recording(folder: Path, minutes: int) -> Path:
    """The sample again and again."""
    sound = np.resize(recordings.speech(SAMPLE), minutes * 60 * recordings.RATE)
    path = folder / f"{minutes}.flac"
    return recordings.encoded(path, sound, "flac", "flac")


def _separated(service: Service, process: psutil.Process, recording: Path) -> tuple[int, dict[str, object]]:
    """The highest resident memory of the device process meanwhile, and the finished task."""
    highest, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLED_SECONDS):
            highest[0] = max(highest[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with recording.open("rb") as file:
            answer = requests.post(f"{service.url}/bgm-separation", files={"file": file}, timeout=600)
        done = service.finished(answer.json()["identifier"], PATIENCE)
    finally:
        ended.set()
        watcher.join()
    assert done["status"] == "COMPLETED", done["error"]
    return highest[0], done


def _downloaded(service: Service, identifier: object) -> Iterator[Figure]:
    """The ZIP of the longer one's stems through the web process, whose memory must not follow its size."""
    assert service.web is not None
    children = psutil.Process(service.web.pid).children()
    before = {child.pid: child.memory_info().rss for child in children}
    highest, size, started = dict(before), 0, time.perf_counter()
    with requests.get(f"{service.url}/task/file/{identifier}", stream=True, timeout=600) as answer:
        assert answer.status_code == 200
        for number, chunk in enumerate(answer.iter_content(MEGABYTE)):
            size += len(chunk)
            if number % 20 == 0:
                highest |= {child.pid: max(highest[child.pid], child.memory_info().rss) for child in children}
    yield Figure("ZIP of both stems", size / MEGABYTE, "MB")
    yield Figure("its download", time.perf_counter() - started, "s")
    growth = max(highest[pid] - before[pid] for pid in before)
    yield Figure("gunicorn worker, growth during it", growth / MEGABYTE, "MB", 20.0)
