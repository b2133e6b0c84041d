"""Send requests with an API key."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import api_keys, connection
from app.core.db.api_keys import Rights
from tests.app.posting import RECORDING


def make_key(name: str = "alice", **rights: Any) -> str:
    """Create a key and return it."""
    connection.database.connect(reuse_if_open=True)
    return api_keys.create(name, Rights(**rights))


class Caller:
    """A client with a key; without one, it sends none."""

    def __init__(self, web: Flask, key: str | None) -> None:
        self._client = web.test_client()
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self._client.get(path, headers=self.headers | more.pop("headers", {}), **more)

    def open(self, path: str, method: str, **more: Any) -> TestResponse:
        return self._client.open(path, method=method, headers=self.headers | more.pop("headers", {}), **more)

    def post(self, path: str = "/transcription", recording: bytes = RECORDING, **headers: str) -> TestResponse:
        form = {"file": (io.BytesIO(recording), "a.wav")}
        return self.open(path, "POST", data=form, content_type="multipart/form-data", headers=headers)

    def submit(self, path: str = "/transcription", recording: bytes = RECORDING, **headers: str) -> str:
        answer = self.post(path, recording, **headers)
        assert answer.status_code == 201, answer.text
        identifier: str = answer.get_json()["identifier"]
        return identifier
