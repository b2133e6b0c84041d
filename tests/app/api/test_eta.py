"""``eta_seconds``: shown wherever a task is, and null unless it can be known."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.api import events
from app.core.db import heartbeats, rates, tasks
from app.core.db.connection import now
from app.core.db.rates import Key
from app.core.db.tasks import Claim, Task
from tests.app.posting import submitted
from tests.app.rows import claimed

RATES = {"decode": 0.01, "transcribe": 0.3, "align": 0.1}  # 41 s for 100 s of audio
MODELS = {"transcribe": "mini int8"}
ALONE = 41.0


def measure(device: str = "cpu") -> None:
    """Write rates of transcriptions."""
    found = {Key("transcription", stage, MODELS.get(stage, ""), device): rate for stage, rate in RATES.items()}
    rates.add(found, 1.0)


def start_worker(name: str = "me", *devices: str) -> None:
    """Write a heartbeat."""
    heartbeats.record_heartbeat(name, [{"device": each, "state": "idle"} for each in devices or ["cpu-0"]])


def know_length(identifier: str, seconds: float = 100.0) -> str:
    """Set the length of a task's recording, as an earlier run does."""
    Task.update(audio_duration=seconds).where(Task.uuid == identifier).execute()
    return identifier


def run(stage: str = "transcribe", progress: float = 0.05, seconds: float | None = 100.0, holder: str = "me") -> Claim:
    """Claim the next task and report its progress."""
    claim = claimed(holder)
    tasks.report(claim, stage, progress, **({} if seconds is None else {"audio_duration": seconds}))
    return claim


def eta(web: Flask, identifier: str) -> Any:
    answer = web.test_client().get(f"/task/{identifier}")
    assert answer.status_code == 200
    return answer.get_json()["eta_seconds"]


def test_running_task_counts_down_to_its_end(anywhere: Flask) -> None:
    measure(), start_worker()
    identifier = submitted(anywhere)
    claim = run("transcribe", 0.05)
    assert eta(anywhere, identifier) == 40.0
    tasks.report(claim, "transcribe", 0.425)
    assert eta(anywhere, identifier) == 25.0
    tasks.report(claim, "align", 0.95)
    assert eta(anywhere, identifier) == 2.5
    tasks.complete(claim, "json", "[]", [], 1.0)
    assert eta(anywhere, identifier) is None


def test_tasks_that_share_a_device_end_later(anywhere: Flask) -> None:
    measure(), start_worker()
    long, short = submitted(anywhere), submitted(anywhere)
    run(seconds=100.0), run(seconds=10.0)
    assert (eta(anywhere, long), eta(anywhere, short)) == (44.0, 8.0)
    start_worker("me", "cpu-0", "cpu-1")
    assert (eta(anywhere, long), eta(anywhere, short)) == (40.0, 4.0)


def test_waiting_task_ends_after_all_that_is_ahead_of_it(anywhere: Flask) -> None:
    measure(), start_worker()
    running, first, second = (submitted(anywhere) for _ in range(3))
    know_length(first), know_length(second, 10.0)
    run()
    assert [eta(anywhere, each) for each in (running, first, second)] == [40.0, 40.0 + ALONE, 40.0 + ALONE + 4.1]
    start_worker("me", "cpu-0", "cpu-1")
    assert eta(anywhere, second) == pytest.approx((40.0 + ALONE) / 2 + 4.1, abs=0.1)


def test_language_detection_needs_no_length(web: Flask) -> None:
    start_worker()
    found = {"decode": ("", 0.2), "detect": ("mini int8", 0.3)}
    rates.add({Key("detect_language", stage, model, "cpu"): took for stage, (model, took) in found.items()}, 1.0)
    detection = submitted(web, path="/detect-language")
    assert eta(web, detection) == 0.5


def test_pause_after_a_crash_counts(anywhere: Flask) -> None:
    measure(), start_worker()
    identifier = know_length(submitted(anywhere))
    Task.update(not_before=now() + 20.0).execute()
    assert eta(anywhere, identifier) == pytest.approx(20.0 + ALONE, abs=2.0)


@pytest.mark.parametrize(
    "missing", ["rates", "rates of the device", "worker", "device", "length", "length ahead", "length of the running"]
)
def test_waiting_task_shows_null_if_something_is_unknown(anywhere: Flask, missing: str) -> None:
    if missing != "rates":
        measure("cuda" if missing == "rates of the device" else "cpu")
    if missing == "device":
        heartbeats.record_heartbeat("me", [{"device": "cpu-0", "state": "down", "cause": "SIGKILL"}])
    elif missing != "worker":
        start_worker()
    submitted(anywhere), submitted(anywhere)
    run(seconds=None if missing == "length of the running" else 100.0)
    ahead, last = Task.select().where(Task.status == "QUEUED").get().uuid, submitted(anywhere)
    if missing != "length ahead":
        know_length(ahead)
    if missing != "length":
        know_length(last)
    assert eta(anywhere, last) is None
    assert (eta(anywhere, ahead) is not None) == (missing == "length")


@pytest.mark.parametrize("missing", ["rates", "worker", "length"])
def test_running_task_shows_null_if_something_is_unknown(web: Flask, missing: str) -> None:
    if missing != "rates":
        measure()
    start_worker("another" if missing == "worker" else "me")
    identifier = submitted(web)
    run(seconds=None if missing == "length" else 100.0)
    assert eta(web, identifier) is None


def test_unknown_neighbour_counts_as_longer(web: Flask) -> None:
    measure(), start_worker()
    known = submitted(web)
    submitted(web)
    run(), run("decode", 0.01, seconds=None)
    assert eta(web, known) == 80.0


def test_workers_with_different_devices_are_told_apart(anywhere: Flask) -> None:
    measure(), start_worker("slow", "cpu-0")
    rates.add({Key("transcription", stage, MODELS.get(stage, ""), "cuda"): 0.02 for stage in RATES}, 1.0)
    start_worker("fast", "cuda-0")
    first, second, waiting = submitted(anywhere), submitted(anywhere), know_length(submitted(anywhere))
    run(holder="slow"), run(holder="fast")
    assert (eta(anywhere, first), eta(anywhere, second)) == (40.0, 4.0)
    assert eta(anywhere, waiting) is None  # either of them may get it


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_ended_task_shows_no_time_to_its_end(anywhere: Flask, status: str) -> None:
    measure(), start_worker()
    identifier = submitted(anywhere)
    claim = run()
    if status == "COMPLETED":
        tasks.complete(claim, "json", "[]", [], 1.0)
    elif status == "FAILED":
        tasks.fail(claim, "no_audio", "There is no sound in it.", [], 1.0)
    else:
        tasks.cancel(identifier)
    assert eta(anywhere, identifier) is None


def test_lists_batches_and_events_show_the_same_time(anywhere: Flask) -> None:
    measure(), start_worker()
    batch = anywhere.test_client().post(
        "/batch", data={"file": [(open(__file__, "rb"), "a.wav"), (open(__file__, "rb"), "b.wav")]}
    )
    assert batch.status_code == 201, batch.text
    first, second = (line["identifier"] for line in batch.get_json()["tasks"])
    run(), know_length(second)
    times = {first: 40.0, second: 40.0 + ALONE}
    client = anywhere.test_client()
    assert {each: eta(anywhere, each) for each in times} == times
    assert {each["identifier"]: each["eta_seconds"] for each in client.get("/task").get_json()["tasks"]} == times
    lines = client.get(f"/batch/{batch.get_json()['identifier']}").get_json()["tasks"]
    assert {each["identifier"]: each["eta_seconds"] for each in lines} == times
    row = tasks.get(first)
    assert row is not None
    assert '"eta_seconds": 40.0' in "".join(events.list_events(row, events.Position(), 600))
