"""Measure memory and time of a long conversation: transcription, alignment and diarization."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from bench import places
from bench.figures import MEGABYTE, Figure
from bench.peak import Peak
from tests import recordings
from tests.service import SAMPLES

CONVERSATION = SAMPLES / "conversation.flac"
MINUTES, QUICK_MINUTES = (10, 60), (1, 2)
GROWTH_MEGABYTES = 1500.0
LINEAR = 1.1
PATIENCE = 6 * 3600.0


def measure(quick: bool) -> Iterator[Figure]:
    with places.service() as service:
        (process,) = service.device_processes()
        lengths = QUICK_MINUTES if quick else MINUTES
        service.finished(service.submit(CONVERSATION, is_diarize="true"))  # load every model
        idle = process.memory_info().rss
        yield Figure("device process, idle, all models loaded", idle / MEGABYTE, "MB")
        seconds, busy = [], []
        for minutes in lengths:
            recording = long_recording(service.folder, minutes)
            before = processor_seconds(process)
            with Peak([process]) as peak:
                done = service.finished(service.submit(recording, is_diarize="true"), PATIENCE)
            assert done["status"] == "COMPLETED" and done["warnings"] == [], (done["error"], done["warnings"])
            seconds.append(done["duration"])
            busy.append(processor_seconds(process) - before)
            yield Figure(f"{minutes} minutes in", seconds[-1], "s")
            yield Figure(f"{minutes} minutes, processor time", busy[-1], "s")
            above = peak.highest - idle
            yield Figure(f"{minutes} minutes, peak above idle", above / MEGABYTE, "MB", GROWTH_MEGABYTES)
            yield Figure(f"{minutes} minutes, speakers", len({part["speaker"] for part in done["result"]}))
        share = lengths[1] / lengths[0]
        yield Figure("processor time, a minute of the longer one / the shorter", busy[1] / busy[0] / share, "", LINEAR)
        yield Figure("time for a minute of the longer one / the shorter", seconds[1] / seconds[0] / share, "", LINEAR)


def long_recording(folder: Path, minutes: int) -> Path:
    """Repeat the conversation for ``minutes``."""
    sound = np.resize(recordings.speech(CONVERSATION), minutes * 60 * recordings.RATE)
    return recordings.encoded(folder / f"{minutes}.flac", sound, "flac", "flac")


def processor_seconds(process: psutil.Process) -> float:
    """CPU time of the process in seconds.

    On a busy machine it is more exact than the clock.
    """
    times = process.cpu_times()
    return float(times.user + times.system)
