"""The watch sees what other connections commit."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import peewee
import pytest

from app.core.db import connection, tasks
from app.core.db.notify import Watch
from tests.postgres import Postgres
from tests.service import until

pytestmark = pytest.mark.usefixtures("open_database")


def elsewhere(action: Callable[[], Any]) -> None:
    """Run ``action`` on another connection."""

    def act() -> None:
        with connection.database.connection_context():
            action()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def submit() -> None:
    tasks.submit(str(uuid.uuid4()), "transcription", {}, "a.wav", [])


def settled() -> Watch:
    watch = Watch()
    watch.has_changed()
    return watch


def test_first_look_counts_as_a_change() -> None:
    submit()
    assert Watch().has_changed()


def test_reads_are_not_seen_as_changes() -> None:
    watch = settled()
    elsewhere(tasks.count_queued)
    assert [watch.has_changed() for _ in range(20)] == [False] * 20


def test_submission_of_another_connection_is_seen_once() -> None:
    watch = settled()
    for _ in range(3):
        elsewhere(submit)
        until(watch.has_changed, "submission seen", every=0.01)
        assert not watch.has_changed()


@pytest.mark.parametrize("end", [tasks.cancel, tasks.delete])
def test_cancel_or_delete_on_another_connection_is_seen(end: Callable[[str], bool]) -> None:
    tasks.submit("x", "transcription", {}, "a.wav", [])
    watch = settled()
    elsewhere(lambda: end("x"))
    until(watch.has_changed, "seen", every=0.01)


def test_rolled_back_submission_is_not_seen() -> None:
    def give_up() -> None:
        with connection.database.atomic() as transaction:
            submit()
            transaction.rollback()

    watch = settled()
    elsewhere(give_up)
    time.sleep(0.05)
    assert not watch.has_changed()


def test_changes_while_disconnected_are_seen() -> None:
    watch = settled()
    connection.database.close()
    elsewhere(submit)
    connection.database.connect()
    assert watch.has_changed()
    elsewhere(submit)
    until(watch.has_changed, "submission seen", every=0.01)


def test_stopped_database_raises_a_database_error(postgres: Postgres) -> None:
    connection.database.close()
    connection.connect(postgres.database(f"t{uuid.uuid4().hex}"))
    watch = settled()
    postgres.stop()
    try:
        with pytest.raises(peewee.DatabaseError):
            until(watch.has_changed, "an error")
    finally:
        postgres.start()
    connection.database.close()
    connection.database.connect()
    assert watch.has_changed()


def test_closed_connection_raises_a_database_error(monkeypatch: pytest.MonkeyPatch, open_database: str) -> None:
    if not open_database.startswith("sqlite"):
        pytest.skip("SQLite only")
    watch = settled()
    connection.database.connection().close()  # the driver then raises its own ProgrammingError
    with pytest.raises(peewee.ProgrammingError):
        watch.has_changed()
