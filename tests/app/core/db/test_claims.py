"""A task whose run crashed comes first for an empty process, and never into one with other tasks."""

from __future__ import annotations

import logging
import sqlite3

import pytest

from app.core.db import claims, connection, leases, tasks
from app.core.db.tasks import FAST_LANE, Claim, Task
from tests.app.rows import claimed, queued, row

pytestmark = pytest.mark.usefixtures("open_database")

ENDED, WAITING = 5000, 500
FILL = """
INSERT INTO task (uuid, task_type, status, file_name, params, work, warnings, progress, claim_no, crashes, lost_nodes,
                  created_at, lane, changes, speaker_names)
SELECT {number} || '-{status}', 'transcription', '{status}', 'a.wav', '{{}}', '[]', '[]', 0.0, 1, {number} % 10, 0,
       1e9, 1, 0, '{{}}'
FROM {numbers}
"""


def crashed(pause: float = 0.0) -> str:
    """Submit the only task, let its run crash, and return its identifier."""
    identifier = queued()
    assert leases.retry_or_fail(claimed(), "worker_crashed", "It died.", pause) == leases.REQUEUED
    return identifier


def known(audio_duration: float | None) -> str:
    """Submit a task with a recording of a known length."""
    identifier = queued()
    Task.update(audio_duration=audio_duration).where(Task.uuid == identifier).execute()
    return identifier


def claimed_by(shared: bool = False, longest: float | None = None) -> str | None:
    row = claims.claim("me", shared, longest)
    return row and str(row.uuid)


def test_crashed_task_is_not_kept_waiting_by_newer_or_older_ones() -> None:
    poison = crashed()
    older, fast = queued(), queued()
    Task.update(id=0).where(Task.uuid == older).execute()
    Task.update(lane=FAST_LANE).where(Task.uuid == fast).execute()
    assert [claimed_by(), claimed_by(), claimed_by(), claimed_by()] == [poison, fast, older, None]


def test_process_with_other_tasks_gets_no_crashed_one() -> None:
    poison = crashed()
    assert claimed_by(shared=True) is None
    others = [queued(), queued()]
    assert [claimed_by(shared=True) for _ in range(3)] == [*others, None]
    assert claimed_by() == poison


def test_claim_of_a_short_task_passes_longer_ones() -> None:
    long, exact, unknown, short = (known(seconds) for seconds in (600.5, 600.0, None, 3.0))
    assert [claimed_by(True, 600.0) for _ in range(4)] == [exact, unknown, short, None]
    assert claimed_by(True) == long


def test_bound_also_holds_for_a_crashed_task() -> None:
    poison = crashed()
    Task.update(audio_duration=700.0).execute()
    short = queued()
    assert claimed_by(longest=600.0) == short
    assert claimed_by(longest=700.0) == poison


def test_tasks_that_could_run_now_are_counted_up_to_a_limit() -> None:
    crashed(pause=1000.0)
    queued(source_url="http://there.example/a.wav")
    assert claims.count_ready(10) == 0, "neither in a pause nor without its recording"
    for _ in range(3):
        queued()
    claimed()
    assert (claims.count_ready(10), claims.count_ready(1)) == (2, 1)


def test_empty_process_is_wanted_only_while_a_crashed_task_is_ready() -> None:
    queued()
    claim = claimed()
    assert not claims.has_lone()
    leases.retry_or_fail(claim, "worker_crashed", "It died.", 1000.0)
    assert not claims.has_lone(), "its pause is not over"
    Task.update(not_before=0).execute()
    assert claims.has_lone()
    again = claimed()
    assert not claims.has_lone(), "it runs"
    tasks.requeue(again)
    assert claims.has_lone()
    tasks.cancel(again.uuid)
    assert not claims.has_lone()


def test_requeued_task_keeps_the_length_that_its_run_found() -> None:
    identifier = queued()
    claim = claimed()
    tasks.report(claim, "decode", 0.1, audio_duration=3600.0)
    assert tasks.requeue(claim) and row(identifier).audio_duration == 3600.0
    assert claimed_by(True, 600.0) is None and claimed_by(True) == identifier
    assert (row(identifier).crashes, row(identifier).claim_no) == (0, claim.claim_no + 1)


def test_claims_are_read_in_index_order(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    opened = connection.database
    on_sqlite = database_url.startswith("sqlite")
    count = "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {most}) SELECT n FROM c) AS c"
    for status, most in (("COMPLETED", ENDED), ("QUEUED", WAITING)):
        fill = FILL.format(number="n", status=status, numbers=count.format(most=most))
        opened.execute_sql(fill if on_sqlite else fill.replace("%", "%%"))
    opened.execute_sql("ANALYZE task")
    with caplog.at_level(logging.DEBUG, "peewee"):
        assert claims.has_lone()
        claimed_by()
        claimed_by(shared=True, longest=600.0)
    selects = [record.msg for record in caplog.records if "ORDER BY" in str(record.msg)]
    explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
    plans = [str(opened.execute_sql(f"{explain} {sql}", values).fetchall()) for sql, values in selects]
    # with so few tasks, the larger index is as good to PostgreSQL
    ready = ["task_ready"] if on_sqlite else ["task_ready", "task_status_lane_id"]
    used = [["task_crashed" in plan, any(name in plan for name in ready)] for plan in plans]
    # has_lone; an empty process: the look, the crashed ones; another process: the look and the claim
    assert used == [[True, False], [False, True], [True, False], [False, True], [False, True]]
    assert not any("TEMP B-TREE" in plan or "Sort" in plan for plan in plans)


@pytest.mark.parametrize("shared", [False, True])
def test_look_at_a_queue_without_a_claimable_task_takes_no_write_lock(database_url: str, shared: bool) -> None:
    crashed(pause=0.0 if shared else 1000.0)
    if not database_url.startswith("sqlite"):
        return  # PostgreSQL has no such lock
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    assert claims.has_lone() == shared
    assert claimed_by(shared) is None
    other.close()


def test_claim_of_a_crashed_task_is_a_claim_like_any_other() -> None:
    identifier = crashed()
    row = claims.claim("me")
    assert row is not None and (row.claim_no, row.crashes, row.attempts) == (2, 1, 2)
    assert tasks.list_held("me") == {(identifier, 2)}
    assert tasks.complete(Claim(identifier, 2, "me"), "json", "[]", [], 1.0)
