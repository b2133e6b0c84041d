"""Measure memory and time of separating long recordings: time linear in length, memory constant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import requests

from bench import places
from bench.figures import MEGABYTE, Figure
from bench.peak import Peak
from tests import recordings
from tests.service import SAMPLE, Service

MINUTES, QUICK_MINUTES = (10, 60), (1, 2)
GROWTH_MEGABYTES = 2000.0
LINEAR = 1.1
PATIENCE = 4 * 3600.0


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        (process,) = service.device_processes()
        idle = process.memory_info().rss
        yield Figure("device process, idle", idle / MEGABYTE, "MB")
        seconds, lengths = [], QUICK_MINUTES if quick else MINUTES
        for minutes in lengths:
            recording = _make_recording(service.folder, minutes)
            peak, done = _separate(service, process, recording)
            seconds.append(done["duration"])
            yield Figure(f"{minutes} minutes separated in", done["duration"], "s")
            yield Figure(f"{minutes} minutes, peak above idle", (peak - idle) / MEGABYTE, "MB", GROWTH_MEGABYTES)
        ratio = seconds[1] / seconds[0] / (lengths[1] / lengths[0])
        yield Figure("time for a minute of the longer one / the shorter", ratio, "", LINEAR)
        yield from _measure_download(service, done["identifier"])


def _make_recording(folder: Path, minutes: int) -> Path:
    """Repeat the sample for ``minutes``."""
    sound = np.resize(recordings.speech(SAMPLE), minutes * 60 * recordings.RATE)
    path = folder / f"{minutes}.flac"
    return recordings.encoded(path, sound, "flac", "flac")


def _separate(service: Service, process: psutil.Process, recording: Path) -> tuple[int, dict[str, object]]:
    """Separate a recording.

    Return the peak memory of the device process and the finished task.
    """
    with Peak([process]) as peak, recording.open("rb") as file:
        answer = requests.post(f"{service.url}/bgm-separation", files={"file": file}, timeout=600)
        done = service.finished(answer.json()["identifier"], PATIENCE)
    assert done["status"] == "COMPLETED", done["error"]
    return peak.highest, done


def _measure_download(service: Service, identifier: object) -> Iterator[Figure]:
    """Download the ZIP of the longer recording.

    The web process must not grow with its size.
    """
    assert service.web is not None
    size, started = 0, time.perf_counter()
    address = f"{service.url}/task/file/{identifier}"
    with (
        Peak(psutil.Process(service.web.pid).children()) as peak,
        requests.get(address, stream=True, timeout=600) as answer,
    ):
        assert answer.status_code == 200
        for chunk in answer.iter_content(MEGABYTE):
            size += len(chunk)
    yield Figure("ZIP of both stems", size / MEGABYTE, "MB")
    yield Figure("its download", time.perf_counter() - started, "s")
    yield Figure("gunicorn worker, growth during it", peak.growth / MEGABYTE, "MB", 20.0)
