"""Compare the service with stock whisperX: ten minutes of read speech, transcribed and aligned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import jiwer

from app.core import settings
from app.core.db.states import COMPLETED, TERMINAL
from bench import base, reading, whisperx_process
from bench.figures import Figure
from bench.hour import processor_seconds
from bench.throughput import epoch
from bench.whisperx_process import Timed
from tests.real.speech import normalize
from tests.real.weights import fetch_base
from tests.service import Service, until
from workers.device import slots

SECONDS, QUICK_SECONDS = 600.0, 60.0
WARM_SECONDS = 20.0
ROUNDS, QUICK_ROUNDS = 3, 1
MOST = 0.45
PATIENCE, POLL_SECONDS = 1200.0, 0.25


def measure(quick: bool) -> Iterator[Figure]:
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if quick else (SECONDS, ROUNDS)
    sentences = reading.repeat_sentences(seconds)
    with base.service() as service:
        slot = slots.list_slots(settings.load(service.environment).workers)[0]
        with whisperx_process.process(fetch_base(), slot) as whisperx:
            short = reading.write_speech(service.folder / "short.flac", reading.repeat_sentences(WARM_SECONDS))
            long = reading.write_speech(service.folder / "long.flac", sentences)
            whisperx.transcribe(short)  # warm up both sides
            _send(service, short)
            stock: list[Timed] = []
            ours: list[Timed] = []
            for _ in range(rounds):  # alternating, so that noise on the machine affects both
                stock.append(whisperx.transcribe(long))
                ours.append(_send(service, long))
    theirs, mine = (median(seconds for seconds, *_ in side) for side in (stock, ours))
    loads = [median(busy for _, busy, _ in side) for side in (ours, stock)]
    yield Figure(f"{seconds:.0f} s of speech, whisperX, median of {rounds}", theirs, "s")
    yield Figure(f"{seconds:.0f} s of speech, the service, median of {rounds}", mine, "s")
    yield Figure("the service / whisperX", mine / theirs, "", MOST)
    yield Figure("processor time: device process / whisperX", loads[0] / loads[1])
    truth = normalize(reading.join_text(sentences))
    expected, heard = (jiwer.process_words(truth, normalize(_join_text(side[-1][2]))) for side in (stock, ours))
    yield Figure("whisperX: word error rate", expected.wer)
    yield Figure("the service: word error rate", heard.wer, "", expected.wer)
    yield Figure("whisperX: words deleted", expected.deletions)
    yield Figure("the service: words deleted", heard.deletions, "", expected.deletions)
    yield Figure("whisperX: sentences with timed words", _count_timed(stock[-1][2]))
    yield Figure("the service: sentences with timed words", _count_timed(ours[-1][2]))


def _send(service: Service, recording: Path) -> Timed:
    """Return the seconds from the POST to finished_at, which is of the same clock.

    Also those of processor time, and the segments.
    """
    (process,) = service.device_processes()
    started, busy = time.time(), processor_seconds(process)
    identifier = service.submit(recording, lang="en")
    until(lambda: service.task(identifier)["status"] in TERMINAL, "the task ends", PATIENCE, POLL_SECONDS)
    task = service.task(identifier)
    assert task["status"] == COMPLETED and task["warnings"] == [], (task["error"], task["warnings"])
    return epoch(task["finished_at"]) - started, processor_seconds(process) - busy, task["result"]


def _join_text(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


def _count_timed(segments: list[dict[str, Any]]) -> int:
    return sum(bool(segment["words"]) and "start" in segment["words"][0] for segment in segments)
