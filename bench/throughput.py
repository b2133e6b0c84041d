"""Measure the overhead of the service: twenty recordings over HTTP against one warm process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from app.core import settings
from app.core.db.states import COMPLETED, TERMINAL, TRANSCRIPTION
from app.core.params import TranscriptionParams
from bench import direct, places, recordings
from bench.figures import Figure
from tests.service import Service, until
from workers.device.protocol import Job

COUNT, ROUNDS = 20, 5
POLL_SECONDS = 0.25
PATIENCE = 900.0
OVERHEAD = 1.02


def measure(quick: bool) -> Iterator[Figure]:
    count, rounds = (4, 2) if quick else (COUNT, ROUNDS)
    with places.service() as service, direct.process(settings.load(service.environment)) as alone:
        paths = recordings.varied(service.folder, count)
        params = TranscriptionParams.from_json(service.finished(service.submit(paths[0]))["task_params"])
        jobs = _jobs(paths, params)
        through_service(service, paths[1:3])  # warm up both sides
        alone.run(jobs[:3])
        served, bare = [], []
        for _ in range(rounds):  # alternating, so that noise on the machine affects both
            seconds, texts = through_service(service, paths)
            served.append(seconds)
            seconds, expected = alone.run(jobs)
            bare.append(seconds)
            assert texts == [_words(json.loads(result)) for result in expected], "the transcripts differ"
    yield Figure(f"{count} recordings, one warm process, median of {rounds}", median(bare), "s")
    yield Figure(f"{count} recordings, through HTTP, median of {rounds}", median(served), "s")
    yield Figure("through HTTP / one warm process", median(served) / median(bare), most=OVERHEAD)


def _jobs(paths: list[Path], params: TranscriptionParams) -> list[Job[TranscriptionParams]]:
    """Build the jobs.

    ``params`` come from the service, so that both sides use the same.
    """
    return [Job(path.name, 1, TRANSCRIPTION, params, [], str(path)) for path in paths]


def through_service(service: Service, paths: list[Path]) -> tuple[float, list[str]]:
    """Send all recordings through the service.

    Return the seconds from the first POST to the last end, and the transcripts.
    The end is finished_at of the database, read from the same clock, so rare polling costs no accuracy.
    """
    started = time.time()
    identifiers = [service.submit(path) for path in paths]
    until(lambda: service.task(identifiers[-1])["status"] in TERMINAL, "the last task ends", PATIENCE, POLL_SECONDS)
    tasks = [service.finished(identifier) for identifier in identifiers]
    for task in tasks:
        assert task["status"] == COMPLETED, task["error"]
    return max(epoch(task["finished_at"]) for task in tasks) - started, [_words(task["result"]) for task in tasks]


def _words(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


def epoch(written: str) -> float:
    """Convert a time of the API to seconds since 1970."""
    return datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp()
