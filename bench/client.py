"""A client that sends one recording at a time and waits for its transcript."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from app.core.db.states import COMPLETED, TERMINAL

WAIT = 20
POLL_SECONDS = 0.1  # where the service lets no more clients wait


class Client:
    """Not for several threads: it keeps a connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def transcribe(self, recording: Path) -> dict[str, Any]:
        """Return the finished task."""
        return self.wait(self.submit(recording))

    def submit(self, recording: Path) -> str:
        """Return the identifier of the task."""
        with recording.open("rb") as file:
            upload = {"file": (recording.name, file)}
            answer = self._session.post(f"{self._url}/transcription", files=upload, params={"lang": "en"}, timeout=600)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["identifier"])

    def wait(self, identifier: str) -> dict[str, Any]:
        """Return the task when it has ended."""
        while True:
            answer = self._session.get(f"{self._url}/task/{identifier}?wait={WAIT}", timeout=WAIT + 60)
            assert answer.status_code == 200, answer.text
            task: dict[str, Any] = answer.json()
            if task["status"] in TERMINAL:
                assert task["status"] == COMPLETED, task["error"]
                return task
            if "Preference-Applied" not in answer.headers:
                time.sleep(POLL_SECONDS)


def list_words(task: dict[str, Any]) -> list[str]:
    """List the words of a finished transcription."""
    return [word["word"] for segment in task["result"] for word in segment["words"]]
