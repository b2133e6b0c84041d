"""Submit recordings with a test client, and read what was stored on disk and in the database."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection
from app.core.db.tasks import Task
from app.current import get_settings

ENDPOINTS = ("/transcription", "/vad", "/bgm-separation", "/detect-language", "/alignment")  # that take recordings
REQUIRED = {"/alignment": {"transcript": "hello monday", "lang": "en"}}  # parameters without a default
RECORDING = b"RIFF" + bytes(range(256)) * 40
CRLF = b"\r\n"


def post(
    web: Flask,
    query: str = "",
    recording: bytes = RECORDING,
    name: str = "a.wav",
    path: str = "/transcription",
    **form: Any,
) -> TestResponse:
    """POST ``recording`` as field ``file``, and the fields of ``form``, to ``path``.

    Parameters that the path requires are added to the form, unless they are given.
    """
    needed = REQUIRED.get(path.rstrip("/"), {})
    required = {name: value for name, value in needed.items() if f"{name}=" not in query}
    fields = {"file": (io.BytesIO(recording), name)} | required | form
    return web.test_client().post(
        f"{path}{query}", data=fields, content_type="multipart/form-data", follow_redirects=False
    )


def post_body(
    web: Flask, body: bytes, content_type: str = "multipart/form-data; boundary=x", **more: Any
) -> TestResponse:
    """POST ``body`` to /transcription unchanged."""
    return web.test_client().post("/transcription", data=body, content_type=content_type, **more)


def part(name: str, content: bytes = b"abc", filename: bytes | None = None) -> bytes:
    """One part of a multipart form with the boundary x."""
    quoted = b"" if filename is None else b'; filename="' + filename + b'"'
    lines = [b"--x", b'Content-Disposition: form-data; name="' + name.encode() + b'"' + quoted, b"", content, b""]
    return CRLF.join(lines)


def submitted(web: Flask, query: str = "", **form: Any) -> str:
    """Submit a task and return its identifier."""
    answer = post(web, query, **form)
    assert answer.status_code == 201, answer.text
    identifier: str = answer.get_json()["identifier"]
    return identifier


def refused(answer: TestResponse, status: int, *fields: str) -> dict[str, Any]:
    """Check the error shape and that exactly ``fields`` are named; return the body."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.get_json()
    assert {"code", "status", "message"} <= set(body) <= {"code", "status", "message", "errors"}
    assert body["code"] == status and body["message"] and "<" not in body["message"]
    assert set(body.get("errors", {})) == set(fields)
    return body


def kept(web: Flask) -> list[str]:
    """Paths below cache/, relative to it: unfinished uploads and folders of tasks."""
    cache = get_settings(web).cache.path
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path != cache / "incoming")


def assert_nothing_stored(web: Flask) -> None:
    assert kept(web) == []
    assert rows() == []


def rows() -> list[Task]:
    with connection.database.connection_context() if connection.database.is_closed() else connection.database.atomic():
        return list(Task.select().order_by(Task.id))
