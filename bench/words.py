"""Measure what is lost: word error rate and deletions on six minutes of read speech, against whisperX.

All on Whisper base (int8), which is downloaded from PyPI once.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from app.core.db import connection
from app.core.db.states import TRANSCRIPTION
from app.core.params import TranscriptionParams
from app.core.settings import Settings, load
from app.factory import create_app
from app.schemas.transcription import TranscriptionParameters
from bench import base, whisperx_process
from bench.figures import Figure, percentile
from tests.real.speech import Sentence, cut_read_speech, normalize, read_sentences
from tests.real.weights import fetch_base
from workers.device import slots
from workers.device.environment import prepare_environment
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels

SECONDS, QUICK_SECONDS = 3600.0, 60.0
MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "vad_filter=true": {"vad_filter": True},
    "word_timestamps=false": {"word_timestamps": False},
    "chunk_length=15": {"chunk_length": 15},
    "batch_size=1": {"batch_size": 1},
}
MOST_LOST = 1.2


def measure(quick: bool) -> Iterator[Figure]:
    sentences = read_sentences(QUICK_SECONDS if quick else SECONDS)
    truth = normalize(" ".join(sentence.text for sentence in sentences))
    weights = fetch_base()
    with tempfile.TemporaryDirectory() as folder:
        recording = cut_read_speech(Path(folder), sentences)
        config = base.write_config(Path(folder))
        settings = load({"CONFIG": str(config), "CACHE_DIR": f"{folder}/cache"}, root=Path(folder))
        slot = slots.list_slots(settings.workers)[0]
        prepare_environment(slot)
        text, stock_seconds = _run_whisperx(weights, recording, slot.threads)
        stock = jiwer.process_words(truth, normalize(text))
        yield Figure("whisperX: word error rate", stock.wer)
        yield Figure("whisperX: words deleted", stock.deletions)
        models = WarmModels(slot, settings)
        lost: dict[str, int] = {}
        for name, asked in MODES.items():
            segments, seconds = _run_ours(settings, models, recording, **asked)
            found = jiwer.process_words(truth, normalize(" ".join(segment["text"] for segment in segments)))
            lost[name] = found.deletions
            least = name == "default"
            yield Figure(f"{name}: word error rate", found.wer, most=stock.wer if least else None)
            yield Figure(f"{name}: words deleted", found.deletions, most=stock.deletions if least else None)
            yield Figure(f"{name}: time / whisperX's decoding", seconds / stock_seconds)
            errors = _start_errors(sentences, segments)
            yield Figure(f"{name}: sentence start off by, median", percentile(errors, 50), "s", most=0.2)
            yield Figure(f"{name}: sentence start off by, 90th percentile", percentile(errors, 90), "s")
        yield Figure("words deleted, worst mode", max(lost.values()), most=MOST_LOST * min(lost.values()))


def _run_whisperx(weights: Path, recording: Path, threads: int) -> tuple[str, float]:
    import whisperx

    model = whisperx_process.load_whisper(weights, threads)
    samples = whisperx.load_audio(str(recording))
    started = time.perf_counter()
    found = model.transcribe(samples, batch_size=whisperx_process.BATCH_SIZE)["segments"]
    return " ".join(segment["text"] for segment in found), time.perf_counter() - started


def _run_ours(settings: Settings, models: WarmModels, recording: Path, **asked: Any) -> tuple[list[Any], float]:
    from workers.pipelines import transcription

    app = create_app(settings)
    connection.database.close()
    with app.app_context():
        params: TranscriptionParams = TranscriptionParameters().load({"lang": "en", **asked})
    slot = slots.list_slots(settings.workers)[0]
    run = Run(Job("bench", 1, TRANSCRIPTION, params, [], str(recording)), slot, settings, models, lambda report: None)
    started = time.perf_counter()
    segments: list[Any] = json.loads(transcription.run(run)[1])
    return segments, time.perf_counter() - started


def _start_errors(sentences: list[Sentence], segments: list[Any]) -> list[float]:
    starts = np.array([segment["start"] for segment in segments])
    return [float(np.abs(starts - sentence.start).min()) for sentence in sentences]
