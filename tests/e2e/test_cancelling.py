"""Cancel and delete tasks on the real processes: nothing is left, and the device runs the next task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

from tests import recordings
from tests.service import SAMPLE, Service, promptly, running, until, write_config

CANCELLED_WITHIN = 5.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for this module that runs one task after the other; every test leaves its queue empty."""
    folder = tmp_path_factory.mktemp("cancelling")
    with running(folder, config=write_config(folder, workers={"tasks_per_device": 1})) as service:
        yield service


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several minutes of speech, so that a task keeps running during a test."""
    sound = np.concatenate([recordings.speech(SAMPLE)] * 150)
    return recordings.wav(tmp_path_factory.mktemp("long") / "long.wav", sound)


def started(service: Service, recording: Path) -> tuple[str, psutil.Process]:
    """Start a task; return its identifier and the process that runs the model."""
    identifier = service.submit(recording, beam_size="10")
    until(lambda: service.task(identifier)["stage"] == "transcribe", "task is being transcribed")
    (process,) = service.device_processes()
    return identifier, process


def cancel(service: Service, identifier: str) -> requests.Response:
    return requests.post(f"{service.url}/task/{identifier}/cancel", timeout=30)


def list_files(service: Service, identifier: str) -> list[str]:
    folder = service.cache / identifier
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_running_task_is_cancelled_and_the_device_serves_the_next(shared: Service, long: Path) -> None:
    identifier, _ = started(shared, long)
    (shared.cache / identifier / "stems").mkdir()
    (shared.cache / identifier / "half.wav").write_bytes(b"half")
    assert cancel(shared, identifier).status_code == 202
    assert shared.task(identifier)["status"] == "CANCELLED"
    until(lambda: list_files(shared, identifier) == ["source"], "its files are gone", promptly(CANCELLED_WITHIN))
    assert shared.finished(shared.submit())["status"] == "COMPLETED"
    ended = shared.task(identifier)
    assert (ended["status"], ended["result"], ended["error"]) == ("CANCELLED", None, None)
    assert ended["duration"] > 0
    assert list_files(shared, identifier) == ["source"]
    assert cancel(shared, identifier).status_code == 409


def test_models_stay_loaded_when_a_task_is_cancelled(shared: Service, long: Path) -> None:
    """On a busy machine, the current call may take longer than the run is given to end: then its process is killed."""
    for _ in range(3):
        identifier, process = started(shared, long)
        cancel(shared, identifier)
        assert shared.finished(shared.submit())["status"] == "COMPLETED"
        (same,) = shared.device_processes()
        if same.pid == process.pid:
            return
    raise AssertionError("the process was replaced each time")


def test_cancelling_a_queued_task_leaves_the_running_one_alone(shared: Service, long: Path) -> None:
    busy, process = started(shared, long)
    waiting = shared.submit()
    assert shared.task(waiting)["queue_position"] == 1
    assert cancel(shared, waiting).status_code == 202
    assert shared.task(waiting)["status"] == "CANCELLED"
    assert cancel(shared, waiting).status_code == 409
    assert shared.task(busy)["status"] == "IN_PROGRESS" and process.is_running()
    cancel(shared, busy)
    assert shared.finished(shared.submit())["status"] == "COMPLETED"
    assert shared.task(waiting)["status"] == "CANCELLED"


def test_cancel_at_any_moment_gives_one_final_state(shared: Service) -> None:
    shared.finished(shared.submit())
    for delay in (0.0, 0.05, 0.2, 0.5, 1.0):
        identifier = shared.submit()
        time.sleep(delay)
        answer = cancel(shared, identifier)
        task = shared.task(identifier)
        expected = {202: "CANCELLED", 409: "COMPLETED"}[answer.status_code]
        assert (task["status"], task["result"] is None) == (expected, expected == "CANCELLED")
    assert shared.finished(shared.submit())["status"] == "COMPLETED"


def test_running_task_is_deleted_with_its_row_and_files(shared: Service, long: Path) -> None:
    identifier, _ = started(shared, long)
    assert requests.delete(f"{shared.url}/task/{identifier}", timeout=30).status_code == 204
    assert requests.get(f"{shared.url}/task/{identifier}", timeout=30).status_code == 404
    until(lambda: not list_files(shared, identifier), "its files are gone", promptly(CANCELLED_WITHIN))
    assert shared.finished(shared.submit())["status"] == "COMPLETED"
    assert not (shared.cache / identifier).exists()
    assert list((shared.cache / "incoming").iterdir()) == []


def test_finished_task_is_deleted_after_its_result_was_downloaded(shared: Service) -> None:
    identifier = shared.submit()
    shared.finished(identifier)
    address = f"{shared.url}/task/{identifier}"
    answer = requests.get(f"{address}/result", params={"format": "vtt"}, timeout=30)
    assert answer.text.startswith("WEBVTT") and "short.vtt" in answer.headers["Content-Disposition"]
    assert identifier in [task["identifier"] for task in requests.get(f"{shared.url}/task", timeout=30).json()["tasks"]]
    assert requests.delete(address, timeout=30).status_code == 204
    assert not (shared.cache / identifier).exists()
    assert [requests.request(method, address, timeout=30).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert requests.get(f"{address}/result", timeout=30).status_code == 404


def test_cancelled_tasks_leave_no_process(shared: Service) -> None:
    assert shared.worker is not None
    shared.finished(shared.submit())
    assert len(shared.device_processes()) == 1
    children = psutil.Process(shared.worker.pid).children(recursive=True)
    assert [child for child in children if child.status() == psutil.STATUS_ZOMBIE] == []
