"""A client leaves in the middle of a synchronous call: its task ends, unless the client comes back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults import injection
from tests.faults.faulty import FaultyService, faulty
from tests.service import SAMPLE, promptly, until

GRACE_SECONDS = 12  # longer than the pauses between two renewals


def send(service: FaultyService, prompt: str, timeout: float) -> requests.Response:
    files, form = {"file": SAMPLE.read_bytes()}, {"prompt": prompt, "model": "whisper-1"}
    return requests.post(f"{service.url}/v1/audio/transcriptions", files=files, data=form, timeout=timeout)


def leave(service: FaultyService, prompt: str) -> str:
    """Give up waiting; return the task."""
    with pytest.raises(requests.Timeout):
        send(service, prompt, timeout=1.5)
    tasks: list[dict[str, Any]] = requests.get(f"{service.url}/task", timeout=30).json()["tasks"]
    return next(task["identifier"] for task in tasks if task["task_params"]["initial_prompt"] == prompt)


def status(service: FaultyService, identifier: str) -> str:
    """Read the status from the list: GET /task/<identifier> would keep the task."""
    tasks = requests.get(f"{service.url}/task", timeout=30).json()["tasks"]
    return next(str(task["status"]) for task in tasks if task["identifier"] == identifier)


def test_task_ends_with_its_client_unless_the_client_comes_back(tmp_path: Path) -> None:
    answers: list[requests.Response] = []
    with faulty(tmp_path) as service:
        service.environment["GRACE_SECONDS"] = str(GRACE_SECONDS)
        service.start()
        held = service.inject("transcribe", injection.HOLD, times=injection.ALWAYS)
        gone, back = leave(service, "the client has gone"), leave(service, "the client comes back")
        thread = threading.Thread(target=lambda: answers.append(send(service, "the client comes back", timeout=240)))
        thread.start()
        ended = promptly(GRACE_SECONDS + 10)
        until(lambda: status(service, gone) == "CANCELLED", "the task without a client is cancelled", ended)
        assert status(service, back) in ("QUEUED", "IN_PROGRESS")
        held.unlink()
        thread.join(240)
        assert service.task(back)["status"] == "COMPLETED"
        assert len(requests.get(f"{service.url}/task", timeout=30).json()["tasks"]) == 2
    (answer,) = answers
    assert answer.status_code == 200 and answer.json()["text"]
    assert answer.headers["X-Speech-Task"] == back
