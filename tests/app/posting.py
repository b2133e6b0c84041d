"""Submit recordings through a test client, and see what a request left on the disk and in the database."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection
from app.core.db.tasks import Task
from app.current import get_settings

ENDPOINTS = ("/transcription", "/vad", "/bgm-separation")  # that take recordings
RECORDING = b"RIFF" + bytes(range(256)) * 40


def post(
    web: Flask,
    query: str = "",
    recording: bytes = RECORDING,
    name: str = "a.wav",
    path: str = "/transcription",
    **form: Any,
) -> TestResponse:
    """POST to ``path`` with ``recording`` as field ``file`` and ``form`` beside it; a file of ``form`` comes first."""
    fields = {"file": (io.BytesIO(recording), name)} | form
    return web.test_client().post(
        f"{path}{query}", data=fields, content_type="multipart/form-data", follow_redirects=False
    )


def submitted(web: Flask, query: str = "", **form: Any) -> str:
    """The identifier of a task that was accepted."""
    answer = post(web, query, **form)
    assert answer.status_code == 201, answer.text
    identifier: str = answer.get_json()["identifier"]
    return identifier


def refused(answer: TestResponse, status: int, *fields: str) -> dict[str, Any]:
    """Assert the one shape of errors and that exactly ``fields`` are named; the body."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.get_json()
    assert {"code", "status", "message"} <= set(body) <= {"code", "status", "message", "errors"}
    assert body["code"] == status and body["message"] and "<" not in body["message"]
    assert set(body.get("errors", {})) == set(fields)
    return body


def kept(web: Flask) -> list[str]:
    """Paths below cache/, relative to it: uploads under way and folders of tasks."""
    cache = get_settings(web).cache.path
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path != cache / "incoming")


def assert_nothing_stored(web: Flask) -> None:
    assert kept(web) == []
    assert rows() == []


def rows() -> list[Task]:
    with connection.database.connection_context() if connection.database.is_closed() else connection.database.atomic():
        return list(Task.select().order_by(Task.id))
