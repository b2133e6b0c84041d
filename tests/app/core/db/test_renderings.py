"""Rendered files are stored once for each task, format and version; failing to store one is no error."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import connection, renderings, retention, tasks
from app.core.db.renderings import Rendering
from tests.app.processes import in_processes
from tests.app.rows import completed, queued

pytestmark = pytest.mark.usefixtures("open_database")

FILE = "1\n00:00:00,500 --> 00:00:01,250\nä字\0\n".encode() + bytes(range(256))


def finished() -> str:
    queued()
    return completed()


def test_rendering_is_read_back_unchanged() -> None:
    identifier, other = finished(), finished()
    assert renderings.get(identifier, "srt", 1) is None
    assert renderings.store(identifier, "srt", 1, FILE)
    assert renderings.get(identifier, "srt", 1) == FILE
    assert [renderings.get(*key) for key in ((identifier, "vtt", 1), (identifier, "srt", 2), (other, "srt", 1))] == [
        None
    ] * 3


def test_empty_rendering_is_stored() -> None:
    identifier = finished()
    renderings.store(identifier, "srt", 1, b"")
    assert renderings.get(identifier, "srt", 1) == b""


def test_new_version_replaces_the_old_rendering() -> None:
    identifier, other = finished(), finished()
    for uuid, file_format, version in (
        (identifier, "srt", 1),
        (identifier, "vtt", 1),
        (other, "srt", 1),
        (identifier, "srt", 2),
    ):
        assert renderings.store(uuid, file_format, version, FILE)
    kept = {(row.task, row.format, row.version) for row in Rendering.select()}
    assert kept == {(identifier, "vtt", 1), (other, "srt", 1), (identifier, "srt", 2)}


def test_second_store_keeps_the_first_rendering() -> None:
    identifier = finished()
    assert renderings.store(identifier, "srt", 1, b"first") and renderings.store(identifier, "srt", 1, b"second")
    assert renderings.get(identifier, "srt", 1) == b"first"


def store_together(barrier: Any, url: str, identifier: str) -> bool:
    connection.connect(url)
    barrier.wait(60)
    stored = renderings.store(identifier, "srt", 1, FILE)
    connection.database.close()
    return stored


def test_processes_that_store_the_same_file_at_once_all_succeed(open_database: str) -> None:
    identifier = finished()
    assert in_processes(store_together, 4, open_database, identifier) == [True] * 4
    assert renderings.get(identifier, "srt", 1) == FILE and Rendering.select().count() == 1


@pytest.mark.parametrize("remove", [tasks.delete, retention.delete_ended])
def test_renderings_are_deleted_with_their_own_task(remove: Callable[[str], bool]) -> None:
    identifier, other = finished(), finished()
    for uuid in (identifier, other):
        for file_format in ("srt", "vtt"):
            renderings.store(uuid, file_format, 1, FILE)
    assert remove(identifier)
    assert sorted((row.task, row.format) for row in Rendering.select()) == [(other, "srt"), (other, "vtt")]


def test_no_rendering_is_stored_for_a_deleted_task() -> None:
    identifier = finished()
    tasks.delete(identifier)
    assert not renderings.store(identifier, "srt", 1, FILE)
    assert Rendering.select().count() == 0


def test_locked_database_is_not_waited_for(open_database: str) -> None:
    if not open_database.startswith("sqlite"):
        pytest.skip("SQLite only: PostgreSQL has no lock on the whole database")
    identifier = finished()
    other = sqlite3.connect(open_database.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert not renderings.store(identifier, "srt", 1, FILE)
    assert time.monotonic() - began < 5
    other.execute("ROLLBACK")
    other.close()
    assert connection.database.execute_sql("PRAGMA busy_timeout").fetchone() == (10_000,)
    assert renderings.store(identifier, "srt", 1, FILE)
