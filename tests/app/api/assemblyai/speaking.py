"""Speak to an app as AssemblyAI's clients do, and complete its tasks."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection, tasks
from tests.app.posting import RECORDING
from tests.app.rows import claimed

URL = "https://93.184.215.14/a.wav"


def word(text: str, start: float | None, end: float | None, speaker: str | None = None) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end, "probability": 0.9, "speaker": speaker}


def segment(text: str, start: float, end: float, *words: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 0,
        "start": start,
        "end": end,
        "text": text,
        "speaker": None,
        "words": list(words),
        "avg_logprob": -0.1,
    }


SEGMENTS = [
    segment(
        "Hello, Dr. Grün. How are you?",
        0.4,
        3.0,
        word("Hello,", 0.4, 0.72, "SPEAKER_01"),
        word("Dr.", 0.8, 0.9, "SPEAKER_01"),
        word("Grün.", 1.0, 1.5, "SPEAKER_01"),
        word("How", 1.7, 1.9, "SPEAKER_01"),
        word("are", None, None, "SPEAKER_01"),
        word("you?", 2.5, 3.0, "SPEAKER_01"),
    ),
    segment(
        "Hello and thanks.",
        9.0,
        10.0,
        word("Hello", 9.0, 9.3, "SPEAKER_00"),
        word("and", 9.4, 9.6, "SPEAKER_00"),
        word("thanks.", 9.6, 10.0, "SPEAKER_00"),
    ),
]


def upload(web: Flask, recording: bytes = RECORDING, **headers: str) -> TestResponse:
    return web.test_client().post("/v2/upload", data=recording, headers=headers)


def uploaded(web: Flask, recording: bytes = RECORDING) -> str:
    answer = upload(web, recording)
    assert answer.status_code == 200, answer.text
    url: str = answer.get_json()["upload_url"]
    return url


def create(web: Flask, **options: Any) -> TestResponse:
    return web.test_client().post("/v2/transcript", json=options)


def created(web: Flask, **options: Any) -> str:
    """Create a transcript and return its id."""
    answer = create(web, **({"audio_url": URL} | options))
    assert answer.status_code == 200, answer.text
    identifier: str = answer.get_json()["id"]
    return identifier


def complete(segments: list[dict[str, Any]] | None = None, **facts: Any) -> None:
    """Complete the oldest waiting task."""
    known = {"language": "en", "audio_duration": 10.4} | facts
    with connection.database.connection_context():
        claim = claimed()
        result = json.dumps(SEGMENTS if segments is None else segments)
        assert tasks.complete(claim, "json", result, json.loads(str(tasks.Task.get().warnings)), 0.5, **known)


def fetched(web: Flask, path: str) -> Any:
    answer = web.test_client().get(f"/v2/transcript/{path}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def refused(answer: TestResponse, status: int = 400) -> str:
    """Check the shape of an error and return its message."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json" and set(answer.get_json()) == {"error"}
    message: str = answer.get_json()["error"]
    assert message and "<" not in message
    return message
