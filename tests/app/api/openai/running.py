"""A worker that ends each task at once, in a thread: clients that wait get an answer."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import claims, connection, heartbeats, tasks
from app.core.db.tasks import Claim
from tests.app.posting import RECORDING

DURATION = 3.2
TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
Work = Callable[[Claim], None]


def make_word(word: str, start: float, end: float, speaker: str | None = None) -> dict[str, Any]:
    return {"word": word, "start": start, "end": end, "probability": 0.87, "speaker": speaker}


def make_segment(number: int, start: float, text: str, speaker: str | None = None) -> dict[str, Any]:
    """A segment whose words take 0.4 s each."""
    spoken = text.split()
    words = [
        make_word(word, round(start + 0.4 * place, 3), round(start + 0.4 * place + 0.3, 3), speaker)
        for place, word in enumerate(spoken)
    ]
    end = words[-1]["end"] if words else start
    return {
        "id": number,
        "start": start,
        "end": end,
        "text": text,
        "speaker": speaker,
        "words": words,
        "seek": 0,
        "tokens": [50364, 2425],
        "temperature": 0.0,
        "avg_logprob": -0.21,
        "compression_ratio": 0.71,
        "no_speech_prob": 0.01,
    }


SPOKEN = [make_segment(0, 0.4, "Hello and thanks."), make_segment(1, 2.0, "Grüße!")]
DIALOGUE = [
    make_segment(0, 0.4, "Hello.", "SPEAKER_01"),
    make_segment(1, 1.0, "Yes, please.", "SPEAKER_00"),
    make_segment(2, 2.5, "Thanks.", "SPEAKER_01"),
]


def completes(segments: list[dict[str, Any]], language: str | None = "en", warnings: tuple[str, ...] = ()) -> Work:
    """Complete the task with ``segments``."""

    def work(claim: Claim) -> None:
        facts = {"language": language, "audio_duration": DURATION}
        row = tasks.get(claim.uuid)
        assert row is not None
        told = [*json.loads(row.warnings), *warnings]
        assert tasks.complete(claim, "json", json.dumps(segments), told, 0.5, **facts)

    return work


def fails(code: str, message: str) -> Work:
    return lambda claim: bool(tasks.fail(claim, code, message, [], 0.5)) and None


@contextlib.contextmanager
def working(web: Flask, work: Work | None) -> Iterator[None]:
    """Run a worker beside ``web``; without ``work``, it only says that it is alive."""
    with connection.database.connection_context() if connection.database.is_closed() else contextlib.nullcontext():
        heartbeats.record_heartbeat("worker", [{"device": "cpu", "state": "idle", "cause": None}])
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            row = claims.claim("me")
            if row is not None and work is not None:
                work(Claim(row.uuid, row.claim_no, "me"))
            time.sleep(0.01)
        connection.database.close()

    thread = threading.Thread(target=run)
    if work is not None:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if work is not None:
            thread.join()


def ask(web: Flask, path: str = TRANSCRIPTIONS, headers: dict[str, str] | None = None, **form: Any) -> TestResponse:
    """POST a recording and the fields of ``form``; a name ending with ``_`` stands for one with brackets."""
    fields = {name[:-1] + "[]" if name.endswith("_") else name: value for name, value in form.items()}
    fields.setdefault("file", (io.BytesIO(RECORDING), "a.wav"))
    return web.test_client().post(path, data=fields, headers=headers, content_type="multipart/form-data")
