"""Short recordings pass long ones on one slot, and models that nothing uses are given up."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
import requests
import soundfile

from tests.service import SAMPLE, Service, running, until, write_config
from workers.supervisor.sharing import LONG_SECONDS

RATE = 16_000
LONG = LONG_SECONDS + 60
IDLE_TTL = 3


def make_long(seconds: float) -> bytes:
    """Repeat the sample up to ``seconds``."""
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    assert rate == RATE
    file = io.BytesIO()
    soundfile.write(file, np.resize(samples, int(seconds * RATE)), RATE, format="FLAC")
    return file.getvalue()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sharing")
    config = write_config(folder, workers={"tasks_per_device": 2}, models={"idle_ttl": IDLE_TTL})
    with running(folder, config=config) as service:
        service.finished(service.submit())
        yield service


def test_short_recordings_pass_long_ones_that_came_first(shared: Service) -> None:
    recording = make_long(LONG)
    first, second = shared.submit(recording), shared.submit(recording)
    until(lambda: shared.task(first)["stage"] == "transcribe", "one of them is running")
    until(lambda: "too long for the last place" in shared.log("worker.log"), "the other is returned to the queue")
    short = [shared.submit() for _ in range(3)]
    assert {shared.finished(each)["status"] for each in short} == {"COMPLETED"}
    running, waiting = shared.task(first), shared.task(second)
    assert (running["status"], running["attempt"]) == ("IN_PROGRESS", 1)
    assert (waiting["status"], waiting["audio_duration"]) == ("QUEUED", pytest.approx(LONG))
    requests.post(f"{shared.url}/task/{first}/cancel", timeout=30)
    until(lambda: shared.task(second)["status"] == "IN_PROGRESS", "the other has its turn")
    requests.post(f"{shared.url}/task/{second}/cancel", timeout=30)


def test_models_leave_the_processor_to_answers(shared: Service) -> None:
    (process,) = shared.device_processes()
    assert shared.web is not None and shared.worker is not None
    answering = {psutil.Process(each.pid).nice() for each in (shared.web, shared.worker)}
    assert process.nice() > max(answering)


def test_models_that_are_not_used_are_given_up_and_loaded_again(shared: Service) -> None:
    shared.finished(shared.submit())
    (before,) = shared.device_processes()
    in_use = before.memory_info().rss

    def find_bare() -> psutil.Process | None:
        found = [process for process in shared.device_processes() if process.pid != before.pid]
        return found[0] if found and "ready after" in shared.log("worker.log").rpartition("is replaced")[2] else None

    bare = until(find_bare, "the process is replaced")
    assert bare.memory_info().rss < in_use / 2
    assert shared.finished(shared.submit())["status"] == "COMPLETED"
    assert shared.device_processes()[0].pid == bare.pid


def test_running_task_says_when_it_will_probably_end(shared: Service) -> None:
    long = shared.submit(make_long(120))
    seconds = until(lambda: shared.task(long)["eta_seconds"], "it is estimated")
    assert 0 < seconds < 600
    assert shared.finished(long)["eta_seconds"] is None
