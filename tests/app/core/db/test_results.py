"""Results are stored on completion, read only on request, and deleted with their task."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.db import connection, leases, queries, results, retention, tasks
from app.core.db.results import Result
from app.core.db.states import IN_PROGRESS
from tests.app.rows import claimed, completed, queued, row, stored_result

pytestmark = pytest.mark.usefixtures("open_database")


def test_result_is_stored_with_its_speaker_embeddings() -> None:
    identifier = queued()
    large = {"speaker_embeddings": '{"A": [0.5]}', "speaker_turns": '[[0.0, 1.0, "A"]]'}
    assert tasks.complete(claimed(), "json", "[1]", [], 1.0, **large)
    found = results.get(identifier)
    assert found is not None and found.result == "[1]"
    assert {name: getattr(found, name) for name in large} == large


def test_lost_claim_stores_no_result() -> None:
    identifier = queued()
    stale = claimed("first")
    tasks.requeue(stale)
    fresh = claimed("second")
    assert not tasks.complete(stale, "json", "[1]", [], 1.0, speaker_embeddings="{}")
    assert Result.select().count() == 0
    assert tasks.complete(fresh, "json", "[2]", [], 1.0)
    assert not tasks.complete(fresh, "json", "[3]", [], 1.0)
    assert stored_result(identifier) == "[2]"


def test_task_is_not_completed_when_its_result_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = queued()
    claim = claimed()

    def fill_disk(*_: object) -> None:
        raise OSError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(results, "store", fill_disk)
        with pytest.raises(OSError, match="disk is full"):
            tasks.complete(claim, "json", "[1]", [], 1.0)
    assert (row(identifier).status, stored_result(identifier)) == (IN_PROGRESS, None)
    assert tasks.complete(claim, "json", "[1]", [], 1.0)


def test_only_completion_writes_speaker_embeddings() -> None:
    queued()
    claim = claimed()
    with pytest.raises(AttributeError, match="speaker_embeddings"):
        tasks.report(claim, "diarize", 0.9, speaker_embeddings="{}")
    with pytest.raises(AttributeError, match="speaker_embeddings"):
        tasks.fail(claim, "x", "y", [], None, speaker_embeddings="{}")
    with pytest.raises(AttributeError, match="speaker_embeddings"):
        leases.retry_or_fail(claim, "worker_crashed", "It died.", 0.0, speaker_embeddings="{}")


@pytest.mark.parametrize("remove", [tasks.delete, retention.delete_ended])
def test_result_is_deleted_with_its_own_task(remove: Callable[[str], bool]) -> None:
    queued(), queued()
    first, second = completed("[1]"), completed("[2]")
    assert remove(first)
    assert (stored_result(first), stored_result(second)) == (None, "[2]")
    assert Result.select().count() == 1


def test_rows_are_read_without_their_results(monkeypatch: pytest.MonkeyPatch) -> None:
    queued(), queued()
    completed("[1]")
    said: list[str] = []
    execute = connection.database.obj.execute_sql

    def listen(sql: str, *arguments: object) -> object:
        said.append(sql)
        return execute(sql, *arguments)

    monkeypatch.setattr(connection.database.obj, "execute_sql", listen)
    for task in queries.list_tasks(5):
        assert tasks.get(task.uuid) == task
        queries.queue_position(task)
    assert said and not any('"result"' in sql for sql in said), said


def test_list_does_not_read_long_results(open_database: str) -> None:
    if not open_database.startswith("sqlite"):
        pytest.skip("SQLite only: it reads a row from its start, whatever column is asked for")
    for _ in range(20):
        queued()
        completed('["' + "x" * 1_000_000 + '"]')
    connection.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with open("/proc/self/io") as before:
        start = int(before.readline().split()[1])
    connection.database.close()
    connection.database.connect()  # with an empty page cache
    assert len(queries.list_tasks(50)) == 20
    with open("/proc/self/io") as after:
        read = int(after.readline().split()[1]) - start
    assert read < 500_000, "the results are 20 MB"
