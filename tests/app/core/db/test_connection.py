"""Opening a database: schema, migrations, several processes at once, durable settings."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee
import pytest

from app.core.db import connection, tasks
from app.core.db.api_keys import ApiKey
from app.core.db.audio_usage import AudioUsage
from app.core.db.heartbeats import Worker
from app.core.db.identity import Identity
from app.core.db.partial import PartialSegment
from app.core.db.rates import Rate
from app.core.db.renderings import Rendering
from app.core.db.request_totals import RequestTotal
from app.core.db.results import Result
from app.core.db.reuse import IdempotencyKey
from app.core.db.revisions import EditedResult, Revision
from app.core.db.sessions import Session
from app.core.db.task_totals import TaskTotal
from app.core.db.tasks import Task
from app.core.db.transcripts import GivenTranscript
from app.core.db.uploads import Upload
from app.core.db.webhooks import Webhook
from app.core.errors import SettingsError
from tests.app.processes import in_processes
from tests.postgres import Postgres

FIRST = "0001_schema"
COLUMN = """
from peewee import TextField
def up(migrator, db):
    migrator.migrate(migrator.add_column("task", "note", TextField(default="none yet")))
"""


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    if connection.database.obj is not None:
        connection.database.close()


@pytest.fixture
def first_only(tmp_path: Path) -> Path:
    """A folder with only the first migration."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(connection.MIGRATIONS / f"{FIRST}.py", folder)
    return folder


def columns() -> dict[str, set[str]]:
    tables = [table for table in connection.database.get_tables() if table != "schema_migration"]
    return {table: {column.name for column in connection.database.get_columns(table)} for table in tables}


def open_and_submit(barrier: Any, url: str) -> str:
    barrier.wait(60)
    connection.connect(url)
    identifier = str(uuid.uuid4())
    tasks.submit(identifier, "transcription", {}, "a.wav", [])
    return identifier


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("status = 'FAILED' ORDER BY id DESC", "task_status_id"),
        ("task_type = 'vad' ORDER BY id DESC", "task_task_type_id"),
        ("task_type = 'vad' AND status = 'FAILED' ORDER BY id DESC", "task_task_type_status_id"),
        (
            "finished_at < 9 ORDER BY finished_at",
            "task_finished_at",
        ),
        (
            "files_purged_at IS NULL AND finished_at < 9 ORDER BY finished_at",
            "task_files_purged_at",
        ),
    ],
)
def test_lists_are_read_in_index_order(tmp_path: Path, query: str, index: str) -> None:
    opened = connection.connect(f"sqlite:///{tmp_path / 'records.db'}")
    plan = str(opened.execute_sql(f"EXPLAIN QUERY PLAN SELECT uuid FROM task WHERE {query} LIMIT 50").fetchall())
    assert f"USING INDEX {index}" in plan and "TEMP B-TREE" not in plan


def test_migrations_create_the_columns_of_the_models(database_url: str) -> None:
    connection.connect(database_url)
    models: tuple[Any, ...] = (Task, Result, Rendering, PartialSegment, IdempotencyKey, Webhook, Upload, Worker)
    models += (Revision, EditedResult, GivenTranscript, ApiKey, AudioUsage, TaskTotal, RequestTotal, Rate, Session)
    models += (Identity,)
    assert columns() == {model._meta.table_name: set(model._meta.sorted_field_names) for model in models}


def test_later_migration_is_applied_once_and_keeps_the_tasks(
    database_url: str, first_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MIGRATIONS", first_only)
    connection.connect(database_url)
    tasks.submit("kept", "transcription", {}, "a.wav", [])
    connection.database.close()
    (first_only / "0002_note.py").write_text(COLUMN)
    opened = connection.connect(database_url)
    assert opened.execute_sql("SELECT uuid, note FROM task").fetchall() == [("kept", "none yet")]
    assert connection.migrate(opened) == []


def test_failed_migration_changes_nothing(database_url: str, first_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MIGRATIONS", first_only)
    connection.connect(database_url)
    connection.database.close()
    (first_only / "0002_note.py").write_text(COLUMN + "    raise RuntimeError('half way')\n")
    for _ in range(2):  # the second time shows that the lock was released
        with pytest.raises(Exception, match=r"half way|0002"):
            connection.connect(database_url)
        assert "note" not in columns()["task"]
        connection.database.close()


def test_processes_that_open_a_new_database_at_once_all_succeed(database_url: str) -> None:
    identifiers = in_processes(open_and_submit, 6, database_url)
    connection.connect(database_url)
    assert sorted(row.uuid for row in Task.select()) == sorted(identifiers)
    applied = connection.database.execute_sql("SELECT name FROM schema_migration ORDER BY name").fetchall()
    assert applied == [(path.stem,) for path in sorted(connection.MIGRATIONS.glob("0*.py"))]


def test_sqlite_is_configured_for_durability(tmp_path: Path) -> None:
    connection.connect(f"sqlite:///{tmp_path / 'records.db'}")
    for _ in range(2):  # for every connection, not only the first
        pragmas = {
            name: connection.database.pragma(name)
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
        connection.database.close()
        connection.database.connect()


def test_rows_get_the_time_of_the_database(database_url: str) -> None:
    connection.connect(database_url)
    before = time.time()
    tasks.submit("x", "transcription", {}, "a.wav", [])
    (created,) = connection.database.execute_sql("SELECT created_at FROM task").fetchone()
    assert before - 0.1 <= created <= time.time() + 0.1


def test_database_clock_advances_within_a_transaction(database_url: str) -> None:
    connection.connect(database_url)
    with connection.begin_write():
        Worker.insert(name="a", started_at=connection.now(), heartbeat_at=connection.now()).execute()
        time.sleep(0.05)
        Worker.insert(name="b", started_at=connection.now(), heartbeat_at=connection.now()).execute()
    first, second = Worker.select().order_by(Worker.name)
    assert second.started_at - first.started_at >= 0.04


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "records.db", "", "http://u:secret@h", "sqlit:///x"])
def test_unsupported_database_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DB_URL: .* not supported; use sqlite:/// or postgresql://$") as refused:
        connection.connect(url)
    assert "secret" not in str(refused.value)


def test_percent_encoded_password_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def unreachable(**parameters: Any) -> None:
        seen.update(parameters)
        raise peewee.psycopg2.OperationalError("connection refused")

    monkeypatch.setattr(peewee.psycopg2, "connect", unreachable)
    with pytest.raises(peewee.OperationalError):
        connection.connect("postgresql://us%40er:p%40ss%2Fw%3Ard%25@db.example:5433/speech")
    assert (seen["user"], seen["password"]) == ("us@er", "p@ss/w:rd%")
    assert (seen["host"], seen["port"], seen["dbname"]) == ("db.example", 5433, "speech")
    assert seen["connect_timeout"] == 5


def test_database_url_may_contain_driver_options(postgres: Postgres) -> None:
    connection.connect(f"{postgres.database('options')}?application_name=speech")
    assert connection.database.execute_sql("SHOW application_name").fetchone() == ("speech",)


def test_missing_folder_of_the_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "records.db"
    with pytest.raises(SettingsError, match=rf"DB_URL: {path} cannot be opened \(No such file"):
        connection.connect(f"sqlite:///{path}")


def test_in_memory_database_opens() -> None:
    connection.connect("sqlite:///:memory:")
    tasks.submit("x", "transcription", {}, "a.wav", [])
    assert tasks.count_queued() == 1


def test_file_that_is_not_a_database_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    content = b"This is not a database, and it is longer than the header of one." * 20
    path.write_bytes(content)
    with pytest.raises(peewee.DatabaseError, match="not a database"):
        connection.connect(f"sqlite:///{path}")
    assert path.read_bytes() == content
