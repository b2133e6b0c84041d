"""Follow a transcription on the real processes: events, first segments, and an answer that waits."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import requests
from sseclient import SSEClient

from tests import recordings
from tests.service import SAMPLE, Service


def follow(service: Service, identifier: str) -> list[tuple[str, dict[str, Any]]]:
    with requests.get(f"{service.url}/task/{identifier}/events", stream=True, timeout=60) as answer:
        assert answer.status_code == 200
        return [(event.event, json.loads(event.data)) for event in SSEClient(answer).events()]


def repeated(folder: Path) -> Path:
    return recordings.wav(folder / "long.wav", np.tile(recordings.speech(SAMPLE), 3))


def test_first_segments_are_those_of_the_result(service: Service, tmp_path: Path) -> None:
    asked = {"word_timestamps": "false", "chunk_length": "4", "batch_size": "2", "lang": "en"}
    identifier = service.post(recording=repeated(tmp_path), params=asked).json()["identifier"]
    events = follow(service, identifier)
    result = service.task(identifier)["result"]
    shown = [data for name, data in events if name == "segment"]
    assert 0 < len(shown) <= len(result) and shown == result[: len(shown)]
    name, last = events[-1]
    assert (name, last["status"], last["segments_changed"]) == ("completed", "COMPLETED", False)
    progress = [data["progress"] for name, data in events if name != "segment"]
    assert progress == sorted(progress)
    assert "transcribe" in {data["stage"] for name, data in events if name == "stage"}


def test_alignment_changes_the_first_segments(service: Service, tmp_path: Path) -> None:
    identifier = service.post(recording=repeated(tmp_path), params={"lang": "en"}).json()["identifier"]
    assert follow(service, identifier)[-1][1]["segments_changed"] is True


def test_second_task_of_its_kind_shows_the_time_to_its_end(service: Service, tmp_path: Path) -> None:
    service.finished(service.submit(lang="en"))
    identifier = service.submit(repeated(tmp_path), lang="en")
    times = [data["eta_seconds"] for name, data in follow(service, identifier) if name != "segment"]
    known = [seconds for seconds in times if seconds is not None]
    assert known and known[0] > 0 and min(known) >= 0 and times[-1] is None


def test_short_recording_needs_one_request(service: Service) -> None:
    begun = time.monotonic()
    answer = service.post(params={"wait": "60"})
    body = answer.json()
    assert (answer.status_code, body["status"]) == (201, "COMPLETED") and body["result"]
    assert time.monotonic() - begun < 60
    assert body.items() >= service.task(body["identifier"]).items()
