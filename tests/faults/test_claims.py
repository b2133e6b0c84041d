"""Many processes share one queue: each task is claimed exactly once, and no call fails because of a lock."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from app.core.db import claims, connection, tasks
from app.core.db.states import COMPLETED
from app.core.db.tasks import Claim, Task
from tests.app.core.db.test_connection import in_processes

PROCESSES = 8
TASKS = 1000


def work_through(barrier: Any, url: str, own: int) -> list[str]:
    """Submit ``own`` tasks, then claim and complete tasks until the queue is empty; return those claimed."""
    connection.connect(url)
    holder = str(uuid.uuid4())
    barrier.wait(60)
    for _ in range(own):
        tasks.submit(str(uuid.uuid4()), "transcription", {}, "a.wav", [])
    claimed = []
    while (row := claims.claim(holder)) is not None:
        claimed.append(row.uuid)
        claim = Claim(row.uuid, row.claim_no, holder)
        assert tasks.report(claim, "decode", 0.5)
        assert tasks.complete(claim, "json", "[]", [], 0.1)
    connection.database.close()
    return claimed


def complete_task(barrier: Any, url: str, uuid: str) -> bool:
    connection.connect(url)
    barrier.wait(60)
    return tasks.complete(Claim(uuid, 1, "me"), "json", "[]", [], 0.1)


def test_each_task_is_claimed_once_while_others_are_submitted(open_database: str) -> None:
    batches = in_processes(work_through, PROCESSES, open_database, TASKS // PROCESSES)
    times = Counter(identifier for batch in batches for identifier in batch)
    assert len(times) == TASKS and set(times.values()) == {1}
    rows = list(Task.select())
    assert {(row.status, row.claim_no, row.crashes) for row in rows} == {(COMPLETED, 1, 0)}
    assert {row.uuid for row in rows} == set(times)


def test_only_one_of_many_processes_completes_a_task(open_database: str) -> None:
    tasks.submit("x", "transcription", {}, "a.wav", [])
    claims.claim("me")
    assert sorted(in_processes(complete_task, PROCESSES, open_database, "x")) == [False] * (PROCESSES - 1) + [True]
