"""Errors have one shape, without HTML or secrets; a failing database is a temporary 503."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import peewee
import psycopg2
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection, tasks
from app.core.errors import SpeechError
from app.core.settings import Settings
from app.current import get_settings
from app.factory import create_app
from tests.app.posting import kept, post, refused, rows, submitted
from tests.postgres import Postgres


@pytest.fixture
def impatient(mini_settings: Settings) -> Iterator[Flask]:
    """The web side with a database that waits 0.2 s for a lock instead of 10 s."""
    app = create_app(mini_settings, patience=0.2)
    app.testing = True
    yield app
    connection.database.close()


def database_file(web: Flask) -> Path:
    return Path(get_settings(web).db_url.removeprefix("sqlite:///"))


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (404, lambda client: client.get("/nope")),
        (404, lambda client: client.get("/task/x")),
        (405, lambda client: client.put("/transcription")),
        (422, lambda client: client.post("/transcription", data={"file": "text"})),
        (422, lambda client: client.post("/transcription?beam_size=0", data={"file": (io.BytesIO(b"a"), "a")})),
        (415, lambda client: client.post("/transcription", json={"a": 1})),
        (400, lambda client: client.post("/transcription", data=b"x", content_type="multipart/form-data")),
        (
            413,
            lambda client: client.post("/transcription", data={"x": b"x" * 2**21}, content_type="multipart/form-data"),
        ),
        (503, lambda client: client.get("/health/ready")),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", ""])
def test_errors_have_one_shape_for_any_accept_header(
    web: Flask, status: int, ask: Callable[[Any], TestResponse], accept: str
) -> None:
    client = web.test_client()
    client.environ_base["HTTP_ACCEPT"] = accept
    answer = ask(client)
    body = refused(answer, status, *(answer.get_json().get("errors", {})))
    assert answer.content_type == "application/json"
    assert list(body)[:3] == ["code", "status", "message"]
    assert "<html" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize("error", [peewee.OperationalError, peewee.InterfaceError, peewee.DatabaseError])
@pytest.mark.parametrize("call", ["get", "count_queued", "submit"])
def test_failing_database_is_503_and_the_next_request_succeeds(
    web: Flask, monkeypatch: pytest.MonkeyPatch, call: str, error: type[Exception]
) -> None:
    def failing(*arguments: Any, **columns: Any) -> Any:
        raise error("password=secret: database is locked")

    identifier = submitted(web)
    with monkeypatch.context() as faulty:
        faulty.setattr(tasks, call, failing)
        answer = web.test_client().get(f"/task/{identifier}") if call == "get" else post(web)
        assert "secret" not in refused(answer, 503)["message"]
        assert int(answer.headers["Retry-After"]) > 0
    assert web.test_client().get(f"/task/{identifier}").status_code == 200
    submitted(web)


@pytest.mark.parametrize(
    "error", [peewee.IntegrityError, peewee.DataError, peewee.ProgrammingError, peewee.InternalError]
)
def test_rejected_statement_is_500_and_logs_its_traceback(
    web: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    def failing(*arguments: Any, **columns: Any) -> Any:
        raise error("UNIQUE constraint failed: a secret")

    web.testing = False
    with monkeypatch.context() as faulty:
        faulty.setattr(tasks, "submit", failing)
        answer = post(web)
    assert refused(answer, 500)["message"] == "Internal error; see the server log."
    assert "Retry-After" not in answer.headers
    assert caplog.text.count(f"{error.__name__}: UNIQUE constraint failed") == 1 and "Traceback" in caplog.text
    submitted(web)


def test_database_locked_by_another_process_is_503_and_recovers(impatient: Flask) -> None:
    other = sqlite3.connect(database_file(impatient), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = post(impatient)
    refused(answer, 503)
    assert "Retry-After" in answer.headers and rows() == []
    other.execute("ROLLBACK")
    submitted(impatient)
    assert len(rows()) == 1


def test_corrupt_database_file_is_503_and_recovers(impatient: Flask) -> None:
    path = database_file(impatient)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    content = path.read_bytes()
    path.write_bytes(b"not a database" * 1000)
    refused(impatient.test_client().get("/task/x"), 503)
    path.write_bytes(content)
    refused(impatient.test_client().get("/task/x"), 404)


def test_stopped_postgresql_is_503_and_recovers(mini_settings: Settings, postgres: Postgres) -> None:
    web = create_app(replace(mini_settings, db_url=postgres.database("went_away")))
    web.testing = True
    identifier = submitted(web)
    postgres.stop()
    try:
        for _ in range(2):  # an open connection breaks, then a new one fails
            refused(web.test_client().get(f"/task/{identifier}"), 503)
            refused(post(web), 503)
    finally:
        postgres.start()
    assert web.test_client().get(f"/task/{identifier}").status_code == 200
    submitted(web)
    connection.database.close()


def test_connection_closed_by_the_server_is_replaced(mini_settings: Settings, postgres: Postgres) -> None:
    address = postgres.database("closed_by_server")
    web = create_app(replace(mini_settings, db_url=address))
    web.testing = True
    identifier = submitted(web)
    terminate_others = """SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    with contextlib.closing(psycopg2.connect(address)) as operator, operator.cursor() as cursor:
        cursor.execute(terminate_others)
        assert cursor.fetchall() == [(True,)]  # the connection of this thread
    assert web.test_client().get(f"/task/{identifier}").status_code == 200
    connection.database.close()


def test_unexpected_error_is_500_without_details(
    web: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("a secret of the code")

    web.testing = False
    monkeypatch.setattr(tasks, "get", broken)
    answer = web.test_client().get("/task/x")
    assert "secret" not in refused(answer, 500)["message"] + answer.text
    assert caplog.text.count("RuntimeError: a secret of the code") == 1  # operators read the log


def test_unexpected_error_leaves_no_upload(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise OSError(5, "Input/output error")

    web.testing = False
    monkeypatch.setattr(tasks, "count_queued", broken)
    refused(post(web), 500)
    assert kept(web) == []


def test_speech_error_has_a_code_and_a_message() -> None:
    error = SpeechError("no_audio", "There is no sound in it.")
    assert (error.code, error.message, str(error)) == (
        "no_audio",
        "There is no sound in it.",
        "no_audio: There is no sound in it.",
    )
