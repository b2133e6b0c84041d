"""An outcome that cannot be stored fails only its own task; a stop requeues tasks before it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from peewee import DataError, OperationalError

from app.core.db import heartbeats, tasks
from app.core.db.states import COMPLETED, FAILED, IN_PROGRESS, QUEUED
from app.core.db.tasks import Claim
from app.core.settings import Cache, Settings, Workers
from app.core.storage import removal
from tests.app.rows import claimed, queued, row
from tests.service import until
from tests.workers.clock import Clock
from tests.workers.supervisor import processes
from workers.device.protocol import Failure, Outcome, Slot
from workers.supervisor.local_engine import LocalEngine, LocalTransport
from workers.supervisor.loop import Supervisor

SLOT = Slot(0, "cpu", None, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=Cache(path=tmp_path / "cache"), workers=Workers(task_timeout=60.0))


@pytest.fixture
def supervisor(settings: Settings, open_database: str) -> Supervisor:
    return Supervisor(settings, LocalEngine(settings, []), is_only_supervisor=False)


def start(settings: Settings, serve: Callable[..., None], *slots: Slot) -> LocalEngine:
    """An engine whose processes run ``serve``."""
    return LocalEngine(settings, list(slots) or [SLOT], serve)


def running(supervisor: Supervisor, count: int = 1) -> list[Claim]:
    """Submit and claim ``count`` tasks."""
    for _ in range(count):
        queued()
    return [claimed(supervisor.name) for _ in range(count)]


def outcome(text: str = "[]", **facts: Any) -> Outcome:
    return Outcome("json", text, [], 1.0, facts)


def status(claim: Claim) -> str:
    return str(row(claim.uuid).status)


def refuse(claim: Claim, error: Exception) -> Callable[..., bool]:
    """tasks.complete, except that it raises ``error`` for one claim."""
    complete = tasks.complete

    def refusing(held: Claim, *arguments: Any, **facts: Any) -> bool:
        if held == claim:
            raise error
        return complete(held, *arguments, **facts)

    return refusing


@pytest.mark.parametrize("text", ["a NUL: \0", "half a pair: \ud800"])
def test_text_that_cannot_be_stored_fails_only_its_own_task(
    supervisor: Supervisor, text: str, open_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, bad, last = running(supervisor, 3)
    supervisor._unsettled = [(first, outcome()), (bad, outcome(text)), (last, outcome())]
    supervisor._serve_database()
    storable = open_database.startswith("sqlite") and "\0" in text
    assert [status(first), status(last)] == [COMPLETED] * 2
    assert status(bad) == (COMPLETED if storable else FAILED)
    if not storable:
        assert (row(bad.uuid).error_code, row(bad.uuid).error) == (
            "internal_error",
            "Internal error; see the server log.",
        )
        assert f"task {bad.uuid}" in caplog.text and "Traceback" in caplog.text
    assert not supervisor._unsettled


def test_rejected_outcome_fails_its_task_without_a_retry(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = running(supervisor, 2)
    monkeypatch.setattr(tasks, "complete", refuse(bad, DataError("no")))
    supervisor._unsettled = [(bad, outcome()), (good, outcome())]
    supervisor._serve_database()
    assert (status(bad), row(bad.uuid).error_code, status(good)) == (FAILED, "internal_error", COMPLETED)


def test_database_outage_keeps_every_outcome(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = running(supervisor, 2)
    supervisor._unsettled = [(first, outcome()), (second, outcome())]
    with monkeypatch.context() as outage:
        outage.setattr(tasks, "complete", refuse(first, OperationalError("database is locked")))
        with pytest.raises(OperationalError):
            supervisor._serve_database()
    assert (status(first), status(second), len(supervisor._unsettled)) == (IN_PROGRESS, IN_PROGRESS, 2)
    supervisor._serve_database()
    assert (status(first), status(second)) == (COMPLETED, COMPLETED)


def test_heartbeat_precedes_outcomes_and_keeps_their_claims(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = running(supervisor)
    supervisor._unsettled = [(claim, outcome())]
    with monkeypatch.context() as outage:
        outage.setattr(tasks, "complete", refuse(claim, OperationalError("database is locked")))
        with pytest.raises(OperationalError):
            supervisor._serve_database()
    assert [worker.name for worker in heartbeats.list_alive()] == [supervisor.name]
    assert status(claim) == IN_PROGRESS, "a claim with an outcome that is not stored yet is kept"
    supervisor._serve_database()
    assert status(claim) == COMPLETED


@pytest.fixture
def broken_disk(monkeypatch: pytest.MonkeyPatch, open_database: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(removal.shutil, "rmtree", fail)
    monkeypatch.setattr(Path, "rename", fail)
    monkeypatch.setattr(Path, "iterdir", fail)


@pytest.mark.usefixtures("broken_disk")
def test_files_that_cannot_be_removed_do_not_block_outcomes(
    supervisor: Supervisor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    deleted, cancelled, failed, good = running(supervisor, 4)
    for claim in (deleted, cancelled, failed):
        (settings.cache.path / claim.uuid / f"stems-{claim.claim_no}").mkdir(parents=True)
    tasks.delete(deleted.uuid)
    tasks.cancel(cancelled.uuid)
    wrong = Failure("invalid_media", "It cannot be decoded.", [], 1.0, {})
    supervisor._unsettled = [(deleted, outcome()), (cancelled, outcome()), (failed, wrong), (good, outcome())]
    supervisor._serve_database()
    assert (status(failed), status(good)) == (FAILED, COMPLETED)
    assert all(f"task {claim.uuid}: files cannot be removed" in caplog.text for claim in (deleted, cancelled, failed))


@pytest.mark.usefixtures("broken_disk")
def test_stop_requeues_tasks_although_files_cannot_be_removed(supervisor: Supervisor) -> None:
    deleted, kept = running(supervisor, 2)
    tasks.delete(deleted.uuid)
    supervisor._unsettled = [(deleted, outcome()), (kept, None)]
    supervisor._shut_down()
    assert (row(kept.uuid).status, row(kept.uuid).crashes) == (QUEUED, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def half_sent(settings: Settings, open_database: str, clock: Clock) -> Iterator[Supervisor]:
    supervisor = Supervisor(settings, start(settings, processes.send_half), is_only_supervisor=False, clock=clock)
    yield supervisor
    supervisor._pool.stop(hurried=True)


def tick_until(supervisor: Supervisor, done: Callable[[], object], what: str) -> None:
    """Run the loop in a thread, so that a blocked loop fails the test instead of hanging it."""
    over = threading.Event()

    def tick() -> None:
        while not over.is_set():
            supervisor._tick()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        until(done, what)
    finally:
        over.set()
    thread.join(10)
    assert not thread.is_alive(), "the loop is blocked"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_half_sent_result_does_not_block_the_loop(half_sent: Supervisor, clock: Clock) -> None:
    identifier = queued()
    tick_until(half_sent, lambda: row(identifier).stage == "transcribe", "it runs")
    (process,) = half_sent._pool.processes
    until(
        lambda: Path(f"/proc/{process.transport.process.pid}/stat").read_text().split()[2] == "T",
        "the process has stopped",
    )
    beaten = heartbeats.list_alive()[0].heartbeat_at
    clock.now += 10
    tick_until(half_sent, lambda: heartbeats.list_alive()[0].heartbeat_at > beaten, "another heartbeat")
    assert row(identifier).status == IN_PROGRESS
    clock.now += 60
    tick_until(half_sent, lambda: row(identifier).status == FAILED, "the task times out")
    assert row(identifier).error_code == "timeout"
    assert not process.is_alive


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_stop_requeues_before_it_waits_and_waits_once(
    settings: Settings, open_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = [replace(SLOT, number=number) for number in range(4)]
    supervisor = Supervisor(settings, start(settings, processes.ignore_end, *slots), is_only_supervisor=False)
    tick_until(supervisor, lambda: [p.ready for p in supervisor._pool.processes] == [True] * 4, "all are ready")
    identifier = queued()
    tick_until(supervisor, lambda: row(identifier).status == IN_PROGRESS, "one is busy")
    seen: list[tuple[str, int, int]] = []
    waited: list[float] = []
    stop = supervisor._pool.stop

    def stopping(hurried: bool) -> None:
        alive = sum(process.is_alive for process in supervisor._pool.processes)
        seen.append((row(identifier).status, row(identifier).crashes, alive))
        for process in supervisor._pool.processes:
            finish = process.transport.finish
            monkeypatch.setattr(
                process.transport, "finish", lambda seconds, finish=finish: (waited.append(seconds), finish(0.1))
            )
        stop(hurried)

    monkeypatch.setattr(supervisor._pool, "stop", stopping)
    supervisor._shut_down()
    assert seen == [(QUEUED, 0, 3)]
    assert waited[0] > waited[1] > waited[2], "the processes share one time limit"
    assert not supervisor._pool.processes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_process_that_dies_after_the_last_task_before_its_replacement_does_not_stop_the_loop(
    settings: Settings, open_database: str
) -> None:
    supervisor = Supervisor(settings, start(settings, processes.complete_and_die), is_only_supervisor=False)
    identifier = queued()
    supervisor._tick()
    (process,) = supervisor._pool.processes
    until(lambda: supervisor._tick() or row(identifier).status == IN_PROGRESS, "it is claimed")
    process.retiring = True
    until(lambda: not process.is_alive, "it has died")
    supervisor._tick()
    assert process not in supervisor._pool.processes
    until(lambda: supervisor._tick() or row(identifier).status == COMPLETED, "its result is stored")
    supervisor._pool.stop(hurried=True)


@pytest.mark.parametrize("node_is_lost", [True, False])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_loss_of_the_machine_is_no_crash_of_the_task(
    settings: Settings, open_database: str, node_is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalTransport, "has_lost_node", node_is_lost)
    supervisor = Supervisor(settings, start(settings, processes.begin_and_die), is_only_supervisor=False)
    identifier = queued()
    try:
        tick_until(supervisor, lambda: row(identifier).not_before is not None, "it waits for its next run")
    finally:
        supervisor._pool.stop(hurried=True)
    waiting = row(identifier)
    assert (waiting.status, waiting.attempts) == (QUEUED, 1)
    assert (waiting.lost_nodes, waiting.crashes) == ((1, 0) if node_is_lost else (0, 1))
