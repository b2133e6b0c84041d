"""A row whose parameters cannot be read fails its own task; the supervisor goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.db import connection, tasks
from app.core.db.tasks import Task
from app.core.params import VadParams
from app.core.settings import Cache, Settings
from workers.device.protocol import Job, Slot
from workers.supervisor.dispatch import UNREADABLE
from workers.supervisor.local_engine import LocalEngine
from workers.supervisor.loop import Supervisor
from workers.supervisor.sharing import Load


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    opened = connection.connect(f"sqlite:///{tmp_path / 'records.db'}")
    settings = Settings(cache=Cache(path=tmp_path / "cache"))
    yield Supervisor(settings, LocalEngine(settings, []), is_only_supervisor=True)
    opened.close()


def add_process(supervisor: Supervisor) -> list[Job[Any]]:
    """Add a device process that records its jobs and stays idle; return the jobs."""
    given: list[Job[Any]] = []
    process: Any = SimpleNamespace(
        slot=Slot(0, "cpu", None, 1),
        name="cpu-0",
        state="idle",
        transport=SimpleNamespace(place="process 1"),
        ready=True,
        is_alive=True,
        is_resting=False,
        assignments={},
        load=Load(),
        assign=lambda assignment: given.append(assignment.job),
    )
    supervisor._pool.processes.append(process)
    return given


@pytest.mark.parametrize(("kind", "column"), [("vad", '{"nonsense": 1}'), ("vad", "{"), ("other", "{}")])
def test_unreadable_row_fails_only_its_own_task(supervisor: Supervisor, kind: str, column: str) -> None:
    tasks.submit("bad", kind, {}, "a.wav", [])
    Task.update(params=column).execute()
    tasks.submit("good", "vad", {"threshold": 0.7}, "a.wav", ["said before"])
    given = add_process(supervisor)
    for _ in range(2):
        supervisor._serve_database()
    failed = Task.get(Task.uuid == "bad")
    assert (failed.status, failed.error_code, failed.error) == ("FAILED", "internal_error", UNREADABLE)
    assert [(job.uuid, job.params, job.warnings) for job in given] == [
        ("good", VadParams(threshold=0.7), ["said before"])
    ]
