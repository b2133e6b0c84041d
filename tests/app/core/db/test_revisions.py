"""Of several writers of a revision one succeeds; revisions are deleted with their task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import connection, renderings, results, retention, revisions, tasks
from app.core.db.revisions import EditedResult, Revision
from tests.app.processes import in_processes
from tests.app.rows import completed, queued

pytestmark = pytest.mark.usefixtures("open_database")


def finished() -> str:
    queued()
    return completed('["machine"]')


def added(uuid: str, number: int, text: str = '["edited"]') -> bool:
    return revisions.add(uuid, number, f"[{number}]", 1, text, number)


def test_latest_text_is_read_and_the_machines_stays() -> None:
    identifier = finished()
    assert results.get(identifier).revision == 0  # type: ignore[union-attr]
    assert added(identifier, 1) and added(identifier, 2, '["again"]')
    latest, original = results.get(identifier), results.get_original(identifier)
    assert latest is not None and (latest.result, latest.revision) == ('["again"]', 2)
    assert original is not None and (original.result, original.revision) == ('["machine"]', 0)
    assert revisions.find_latest(identifier) == 2
    assert revisions.read_changes(identifier, 0, 2) == ["[1]", "[2]"]
    assert [(each.number, each.changed) for each in revisions.list_revisions(identifier)] == [(1, 1), (2, 1)]


def test_a_number_that_is_taken_writes_nothing() -> None:
    identifier = finished()
    assert added(identifier, 1) and not added(identifier, 1, '["lost"]')
    assert results.get(identifier).result == '["edited"]'  # type: ignore[union-attr]


def test_of_processes_that_write_a_revision_at_once_one_succeeds(open_database: str) -> None:
    identifier = finished()
    outcomes = in_processes(add_together, 4, open_database, identifier)
    assert sorted(outcomes) == [False, False, False, True]
    assert Revision.select().count() == EditedResult.select().count() == 1


def add_together(barrier: Any, url: str, uuid: str) -> bool:
    connection.connect(url)
    barrier.wait()
    stored = added(uuid, 1)
    connection.database.close()
    return stored


def test_a_revision_of_a_deleted_task_is_not_stored() -> None:
    identifier = finished()
    tasks.delete(identifier)
    assert not added(identifier, 1)
    assert Revision.select().count() == 0


@pytest.mark.parametrize("remove", [tasks.delete, retention.delete_ended])
def test_revisions_are_deleted_with_their_own_task(remove: Callable[[str], bool]) -> None:
    identifier, other = finished(), finished()
    assert added(identifier, 1) and added(other, 1)
    assert remove(identifier)
    assert [row.task for row in Revision.select()] == [row.task for row in EditedResult.select()] == [other]


def test_a_rendering_of_a_newer_revision_replaces_the_older() -> None:
    identifier = finished()
    assert renderings.store(identifier, "srt", 1, b"first", 0)
    assert renderings.get(identifier, "srt", 1, 1) is None
    assert renderings.store(identifier, "srt", 1, b"second", 1)
    assert renderings.get(identifier, "srt", 1, 1) == b"second" and renderings.get(identifier, "srt", 1, 0) is None
