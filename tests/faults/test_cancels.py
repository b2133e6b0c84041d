"""Cancels at random moments, and as a task completes: one terminal status each, nothing left running, the device serves on."""

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


def test_promise_cancel_ends_a_call_that_hears_no_signal(service: FaultyService) -> None:
    order = service.order("transcribe", "hang")
    identifier, after = service.submit(), service.submit()
    until(lambda: happened(order), "it hangs")
    process = service.device_process()
    assert cancel(service, identifier) == 202
    assert service.task(identifier)["status"] == "CANCELLED"
    until(lambda: not psutil.pid_exists(process.pid), "the process that hung is gone", promptly(WITHIN))
    assert service.finished(after)["status"] == "COMPLETED"


@pytest.mark.parametrize("moments", [10, pytest.param(100, marks=STORM)])
def test_promise_cancels_at_random_moments(service: FaultyService, moments: int) -> None:
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    expected = {202: "CANCELLED", 409: "COMPLETED"}
    seen: Counter[str] = Counter()
    for _ in range(moments):
        identifier = service.submit()
        if chance.random() < 0.7:
            until(lambda identifier=identifier: service.task(identifier)["status"] != "QUEUED", "it runs", every=0.01)
        time.sleep(chance.uniform(0, 2))
        status = expected[cancel(service, identifier)]
        task = service.task(identifier)
        assert (task["status"], task["result"] is None) == (status, status == "CANCELLED")
        seen[status] += 1
    assert service.finished(service.submit())["status"] == "COMPLETED"
    assert len(service.device_processes()) == 1
    print(seen)


def test_fault_20_cancel_racing_completion_has_one_winner(service: FaultyService) -> None:
    """Tasks of a few milliseconds, cancelled as they end."""
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
    service.finished(service.submit())  # by then the device has come to an end with all of them
    assert [service.task(task["identifier"]) for task in ended] == ended
