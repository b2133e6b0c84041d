"""Cancel tasks at random moments, and while they complete."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.faults.faulty import FaultyService, faulty
from tests.faults.injection import happened
from tests.service import promptly, until

STORM = [pytest.mark.storm, pytest.mark.timeout(1800)]
WITHIN = 5.0
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyService]:
    with faulty(tmp_path_factory.mktemp("cancels")) as service:
        service.start()
        yield service


def cancel(service: FaultyService, identifier: str) -> int:
    return requests.post(f"{service.url}/task/{identifier}/cancel", timeout=30).status_code


def test_cancel_ends_a_native_call_that_ignores_signals(service: FaultyService) -> None:
    fault = service.inject("transcribe", "hang")
    identifier, after = service.submit(), service.submit()
    until(lambda: happened(fault), "the call hangs")
    process = service.device_process()
    assert cancel(service, identifier) == 202
    assert service.task(identifier)["status"] == "CANCELLED"
    until(lambda: not psutil.pid_exists(process.pid), "the hanging process is gone", promptly(WITHIN))
    assert service.finished(after)["status"] == "COMPLETED"


@pytest.mark.parametrize("moments", [10, pytest.param(100, marks=STORM)])
def test_cancels_at_random_moments_give_one_final_status(service: FaultyService, moments: int) -> None:
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    expected = {202: "CANCELLED", 409: "COMPLETED"}
    seen: Counter[str] = Counter()
    for _ in range(moments):
        identifier = service.submit()
        if chance.random() < 0.7:
            until(
                lambda identifier=identifier: service.task(identifier)["status"] != "QUEUED",
                "the task runs",
                every=0.01,
            )
        time.sleep(chance.uniform(0, 2))
        status = expected[cancel(service, identifier)]
        task = service.task(identifier)
        assert (task["status"], task["result"] is None) == (status, status == "CANCELLED")
        seen[status] += 1
    assert service.finished(service.submit())["status"] == "COMPLETED"
    assert len(service.device_processes()) == 1
    print(seen)


def test_cancel_or_completion_wins_but_not_both(service: FaultyService) -> None:
    """Short tasks, cancelled around their end."""
    chance = random.Random(SEED)
    service.finished(service.submit())
    ended = []
    for _ in range(20):
        answer = service.post("/vad")
        identifier = answer.json()["identifier"]
        time.sleep(chance.uniform(0, 0.3))
        won = cancel(service, identifier)
        task = service.task(identifier)
        assert task["status"] == {202: "CANCELLED", 409: "COMPLETED"}[won]
        assert (task["result"] is not None) == (task["status"] == "COMPLETED")
        ended.append(task)
    service.finished(service.submit())  # the device has finished all tasks by then
    assert [service.task(task["identifier"]) for task in ended] == ended
