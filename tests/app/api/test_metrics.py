"""GET /metrics: counters that never fall, the queue, the devices, and the requests of all processes."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import pytest
from flask import Flask
from prometheus_client.openmetrics import parser as openmetrics

from app.core.db import connection, downloads, heartbeats, leases, request_totals, retention, task_totals, tasks
from app.core.db.request_totals import Kind
from app.core.db.states import MAX_ATTEMPTS, TASK_TYPES
from app.core.db.tasks import Task
from app.metrics.requests import BOUNDS, get_counter
from tests.app.metrics_text import scrape
from tests.app.processes import in_processes
from tests.app.rows import claimed, completed, queued

COMPLETED = 'speech_tasks_total{status="COMPLETED",task_type="transcription"}'
FAILED = 'speech_tasks_total{status="FAILED",task_type="transcription"}'
CANCELLED = 'speech_tasks_total{status="CANCELLED",task_type="transcription"}'


@pytest.fixture(autouse=True)
def connected(request: pytest.FixtureRequest) -> Any:
    """The tests use the database beside the client."""
    name = "anywhere" if "anywhere" in request.fixturenames else "web"
    request.getfixturevalue(name)
    connection.database.connect(reuse_if_open=True)
    return None


def total(samples: dict[str, float], start: str) -> float:
    return sum(value for name, value in samples.items() if name.startswith(start))


def ended(samples: dict[str, float]) -> tuple[float, ...]:
    return tuple(samples[name] for name in (COMPLETED, FAILED, CANCELLED))


def test_every_way_of_ending_a_task_is_counted_once(anywhere: Flask) -> None:
    assert ended(scrape(anywhere)) == (0, 0, 0)
    for _ in range(7):
        queued()
    completed()
    claim = claimed()
    assert tasks.fail(claim, "invalid_media", "broken", [], 1.0)
    assert not tasks.fail(claim, "invalid_media", "broken", [], 1.0)
    crashing = claimed()
    Task.update(crashes=MAX_ATTEMPTS - 1).where(Task.uuid == crashing.uuid).execute()
    assert leases.retry_or_fail(crashing, "worker_crashed", "crashed", 0.0) == leases.GIVEN_UP
    requeued = claimed()
    assert tasks.requeue(requeued)
    assert ended(scrape(anywhere)) == (1, 2, 0)
    assert tasks.cancel(requeued.uuid) and not tasks.cancel(requeued.uuid)
    assert tasks.cancel(claimed().uuid)
    assert tasks.delete(claimed().uuid), "a running task that is deleted counts as cancelled"
    queued("https://media.example/a.wav")
    assert tasks.delete(claimed().uuid)
    download = downloads.claim("me")
    assert download is not None and downloads.fail(download[0], "download_failed", "404")
    samples = scrape(anywhere)
    assert ended(samples) == (1, 3, 4)
    causes = {
        code: samples[f'speech_task_failures_total{{error_code="{code}",task_type="transcription"}}']
        for code in ("invalid_media", "worker_crashed", "download_failed")
    }
    assert causes == {"invalid_media": 1, "worker_crashed": 1, "download_failed": 1}


def test_counters_do_not_fall_when_rows_are_deleted(anywhere: Flask) -> None:
    identifiers = [queued() for _ in range(3)]
    for _ in range(2):
        assert tasks.complete(claimed(), "json", "[]", [], 2.0, audio_duration=60.0)
    before = scrape(anywhere)
    assert anywhere.test_client().delete(f"/task/{identifiers[0]}").status_code == 204
    Task.update(finished_at=0).where(Task.uuid == identifiers[1]).execute()
    assert retention.delete_ended(identifiers[1])
    after = scrape(anywhere)
    assert ended(after) == ended(before) == (2, 0, 0)
    for name in ("speech_audio_seconds_total", "speech_task_run_seconds_sum", "speech_task_wait_seconds_count"):
        assert total(after, name) == total(before, name) > 0, name


def test_refused_transaction_counts_nothing(anywhere: Flask) -> None:
    identifier = queued()
    with pytest.raises(RuntimeError), connection.begin_write():
        assert tasks.cancel(identifier)
        raise RuntimeError
    assert ended(scrape(anywhere)) == (0, 0, 0)


def test_times_are_in_the_bucket_that_holds_them(anywhere: Flask) -> None:
    queued()
    claim = claimed()
    Task.update(created_at=Task.started_at - 45).execute()
    assert tasks.complete(claim, "json", "[]", [], 7000.0, audio_duration=90.0)
    samples = scrape(anywhere)

    def at_most(name: str, bound: str) -> float:
        return samples[f'speech_task_{name}_seconds_bucket{{le="{bound}",task_type="transcription"}}']

    assert (at_most("wait", "30.0"), at_most("wait", "60.0")) == (0, 1)
    assert (at_most("run", "3600.0"), at_most("run", "7200.0"), at_most("run", "+Inf")) == (0, 1, 1)
    assert samples['speech_task_run_seconds_sum{task_type="transcription"}'] == 7000
    assert samples['speech_task_wait_seconds_sum{task_type="transcription"}'] == pytest.approx(45, abs=1)
    assert samples['speech_audio_seconds_total{task_type="transcription"}'] == 90


@pytest.mark.parametrize("seconds", [*task_totals.BOUNDS, 99999.0])
def test_database_and_scrape_have_the_same_buckets(web: Flask, seconds: float) -> None:
    queued()
    assert tasks.complete(claimed(), "json", "[]", [], seconds)
    (row,) = task_totals.read()
    assert row.run_le == (seconds if seconds in task_totals.BOUNDS else float("inf"))


def test_task_that_never_started_is_in_no_histogram(web: Flask) -> None:
    assert tasks.cancel(queued())
    samples = scrape(web)
    assert samples[CANCELLED] == 1
    assert total(samples, "speech_task_wait_seconds_count") == total(samples, "speech_task_run_seconds_count") == 0


def test_queue_and_running_tasks_are_shown(web: Flask) -> None:
    assert scrape(web)["speech_queue_oldest_seconds"] == 0
    first = queued()
    queued()
    Task.update(created_at=Task.created_at - 100).where(Task.uuid == first).execute()
    samples = scrape(web)
    assert samples['speech_queue_tasks{task_type="transcription"}'] == 2
    assert samples["speech_queue_oldest_seconds"] == pytest.approx(100, abs=5)
    claimed()
    samples = scrape(web)
    assert samples['speech_queue_tasks{task_type="transcription"}'] == 1
    assert samples['speech_running_tasks{task_type="transcription"}'] == 1
    assert samples["speech_queue_oldest_seconds"] < 50
    assert all(f'speech_queue_tasks{{task_type="{kind}"}}' in samples for kind in TASK_TYPES)


def test_workers_and_devices_are_those_with_a_heartbeat(web: Flask) -> None:
    assert scrape(web)["speech_workers"] == 0
    heartbeats.record_heartbeat("a", [{"device": "cuda:0", "state": "busy"}, {"device": "cuda:1", "state": "idle"}])
    heartbeats.record_heartbeat("b", [{"device": "cuda:0", "state": "busy"}])
    heartbeats.record_heartbeat("gone", [{"device": "cuda:0", "state": "down"}])
    heartbeats.Worker.update(heartbeat_at=0).where(heartbeats.Worker.name == "gone").execute()
    samples = scrape(web)
    assert samples["speech_workers"] == 2
    states = {state: samples[f'speech_devices{{state="{state}"}}'] for state in ("starting", "idle", "busy", "down")}
    assert states == {"starting": 0, "idle": 1, "busy": 2, "down": 0}


def test_requests_are_counted_by_method_and_status(web: Flask) -> None:
    client = web.test_client()
    for _ in range(3):
        client.get("/task/unknown")
    client.post("/transcription")
    client.open("/task", method="BREW")
    samples = scrape(web)

    def count(method: str, status: int) -> float:
        labels = f'facade="native",method="{method}",status="{status}"'
        return samples[f"speech_http_request_duration_seconds_count{{{labels}}}"]

    assert (count("GET", 404), count("POST", 422), count("other", 405)) == (3, 1, 1)
    assert total(samples, "speech_http_request_duration_seconds_sum") > 0


def count_and_store(barrier: Any, url: str) -> None:
    connection.connect(url)
    barrier.wait(60)
    for _ in range(20):
        request_totals.add({Kind("native", method, 200, 0.5): (1, 0.25) for method in ("GET", "POST", "PUT")})


def test_counts_of_several_processes_add_up(anywhere: Flask) -> None:
    url = anywhere.extensions["speech.settings"].db_url
    in_processes(count_and_store, 2, url)
    labels = 'facade="native",method="POST",status="200"'
    samples = scrape(anywhere)
    assert samples[f"speech_http_request_duration_seconds_count{{{labels}}}"] == 40
    assert samples[f"speech_http_request_duration_seconds_sum{{{labels}}}"] == pytest.approx(10)
    assert samples[f'speech_http_request_duration_seconds_bucket{{facade="native",le="0.25",{labels[16:]}}}'] == 0


def end_batches(barrier: Any, url: str, batches: list[list[str]]) -> None:
    """Cancel batches in one transaction each, or one by one, while other processes do the same."""
    connection.connect(url)
    barrier.wait(60)
    for batch in random.sample(batches, len(batches)):
        if random.random() < 0.5:
            with connection.begin_write():
                for identifier in batch:
                    tasks.cancel(identifier)
        else:
            for identifier in reversed(batch):
                tasks.cancel(identifier)


def test_tasks_that_end_in_several_processes_at_once_are_counted_once_each(anywhere: Flask) -> None:
    batches: list[list[str]] = []
    with connection.begin_write():
        for number in range(40):
            batches.append([str(uuid.uuid4()) for _ in TASK_TYPES])
            for place, identifier in enumerate(batches[-1]):
                kind = TASK_TYPES[(number + place) % len(TASK_TYPES)]
                tasks.submit(identifier, kind, {}, "a.wav", [], owner=1, audio_duration=3600.0)
    in_processes(end_batches, 3, anywhere.extensions["speech.settings"].db_url, batches)
    samples = scrape(anywhere)
    counts = [samples[f'speech_tasks_total{{status="CANCELLED",task_type="{kind}"}}'] for kind in TASK_TYPES]
    assert counts == [40] * len(TASK_TYPES)


def test_counts_are_kept_while_the_database_is_unavailable(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = get_counter(web)
    counter.count("native", "GET", 200, 0.001)
    with monkeypatch.context() as broken:
        broken.setattr(request_totals, "add", lambda counts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            counter.store()
    counter.store()
    (row,) = request_totals.read()
    assert (row.requests, row.le) == (1, BOUNDS[0])


def test_stopping_process_stores_its_counts(web: Flask) -> None:
    counter = get_counter(web)
    counter.start()
    counter.count("native", "GET", 200, 0.001)
    counter.stop()
    assert [row.requests for row in request_totals.read()] == [1]


def test_openmetrics_is_answered_on_request(web: Flask) -> None:
    queued()
    completed()
    answer = web.test_client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.mimetype == "application/openmetrics-text"
    names = {family.name for family in openmetrics.text_string_to_metric_families(answer.text)}
    assert {"speech_tasks", "speech_task_run_seconds", "speech_build_info"} <= names
    assert web.test_client().get("/metrics").mimetype == "text/plain"


def test_labels_have_few_values(web: Flask) -> None:
    client = web.test_client()
    for number in range(20):
        client.open(f"/task/{number}?x={number}", method=f"M{number}", headers={"User-Agent": str(number)})
    assert len(request_totals.read()) == 0
    samples = scrape(web)
    assert len([name for name in samples if name.startswith("speech_http_request_duration_seconds_count")]) == 1


@pytest.mark.slow
def test_scrape_with_100_000_tasks_is_quick(web: Flask) -> None:
    kinds = ("transcription", "vad")
    rows = [
        (str(number), kinds[number % 2], "QUEUED" if number % 10 == 0 else "COMPLETED", float(number))
        for number in range(100_000)
    ]
    with connection.database.atomic():
        connection.database.connection().executemany(
            "INSERT INTO task (uuid, task_type, status, created_at, file_name, params, work, warnings, progress, claim_no, "
            "crashes, lost_nodes, lane, changes, speaker_names) "
            "VALUES (?, ?, ?, ?, '', '{}', '[]', '[]', 0, 0, 0, 0, 1, 0, '{}')",
            rows,
        )
    scrape(web)
    began = time.monotonic()
    samples = scrape(web)
    assert time.monotonic() - began < 0.5
    assert total(samples, "speech_queue_tasks") == 10_000
