"""POST /task/<identifier>/cancel, DELETE /task/<identifier> and Retry-After."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.core.db import claims, connection, tasks
from app.core.db.tasks import Claim
from app.current import get_settings
from tests.app.posting import kept, refused, rows, submitted
from tests.app.processes import in_processes
from tests.app.rows import claimed, completed, stored_result


def status(web: Flask, identifier: str) -> str:
    word: str = web.test_client().get(f"/task/{identifier}").get_json()["status"]
    return word


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("running", [False, True])
def test_unfinished_task_is_cancelled(anywhere: Flask, running: bool, slash: str) -> None:
    identifier = submitted(anywhere)
    if running:
        claimed()
    answer = anywhere.test_client().post(f"/task/{identifier}/cancel{slash}")
    assert answer.status_code == 202
    assert answer.get_json() == {"identifier": identifier, "status": "CANCELLED", "message": "The task is cancelled"}
    assert status(anywhere, identifier) == "CANCELLED"
    body = refused(anywhere.test_client().post(f"/task/{identifier}/cancel"), 409)
    assert body["message"] == "The task has already ended: CANCELLED."


def test_finished_task_is_not_cancelled(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    completed()
    assert "COMPLETED" in refused(anywhere.test_client().post(f"/task/{identifier}/cancel"), 409)["message"]
    assert status(anywhere, identifier) == "COMPLETED"


def race(barrier: Any, url: str) -> str | None:
    """Cancel or complete the task; the status if this process was first. Two processes do each at once."""
    connection.connect(url)
    cancels = bool(barrier.wait(60) % 2)
    won = tasks.cancel("x") if cancels else tasks.complete(Claim("x", 1, "me"), "json", "[]", [], 0.1)
    connection.database.close()
    return ("CANCELLED" if cancels else "COMPLETED") if won else None


def test_cancel_racing_completion_has_one_winner(open_database: str) -> None:
    tasks.submit("x", "transcription", {}, "a.wav", [])
    claims.claim("me")
    (won,) = [end for end in in_processes(race, 4, open_database) if end]
    (row,) = rows()
    assert row.status == won
    assert stored_result("x") == ("[]" if won == "COMPLETED" else None)


@pytest.mark.parametrize("state", ["queued", "running", "completed", "cancelled"])
def test_deleted_task_and_its_files_are_gone(anywhere: Flask, state: str) -> None:
    other, identifier = submitted(anywhere), submitted(anywhere)
    if state == "completed":
        completed(), completed()
    elif state == "running":
        claimed(), claimed()
    elif state == "cancelled":
        tasks.cancel(identifier)
    answer = anywhere.test_client().delete(f"/task/{identifier}/")
    assert (answer.status_code, answer.data) == (204, b"")
    assert [row.uuid for row in rows()] == [other]
    assert kept(anywhere) == [other, f"{other}/source"]
    refused(anywhere.test_client().get(f"/task/{identifier}"), 404)
    refused(anywhere.test_client().delete(f"/task/{identifier}"), 404)


def test_task_without_files_is_deleted(web: Flask) -> None:
    identifier = submitted(web)
    cache: Path = get_settings(web).cache.path
    (cache / identifier / "source").unlink()
    (cache / identifier).rmdir()
    assert web.test_client().delete(f"/task/{identifier}").status_code == 204


def test_open_file_can_be_read_after_deletion(web: Flask) -> None:
    identifier = submitted(web)
    source = get_settings(web).cache.path / identifier / "source"
    size = source.stat().st_size
    with source.open("rb") as reading:
        reading.read(10)
        assert web.test_client().delete(f"/task/{identifier}").status_code == 204
        assert not source.exists() and len(reading.read()) == size - 10


def test_only_one_of_concurrent_deletes_succeeds(web: Flask) -> None:
    identifier = submitted(web)
    codes: list[int] = []
    together = threading.Barrier(4)

    def delete() -> None:
        together.wait(30)
        codes.append(web.test_client().delete(f"/task/{identifier}").status_code)

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [204, 404, 404, 404]


@pytest.mark.parametrize("identifier", ["1", "%00", "%ff", "..%2f..", "x" * 5000])
def test_unknown_task_is_neither_cancelled_nor_deleted(anywhere: Flask, identifier: str) -> None:
    submitted(anywhere)
    refused(anywhere.test_client().post(f"/task/{identifier}/cancel"), 404)
    refused(anywhere.test_client().delete(f"/task/{identifier}"), 404)
    assert [row.status for row in rows()] == ["QUEUED"]


def test_poll_of_an_unfinished_task_has_retry_after(anywhere: Flask) -> None:
    made = [submitted(anywhere) for _ in range(12)]

    def retry(identifier: str) -> str | None:
        return anywhere.test_client().get(f"/task/{identifier}").headers.get("Retry-After")

    assert [retry(identifier) for identifier in (made[0], made[2], made[11])] == ["1", "3", "10"]
    claimed()
    assert retry(made[0]) == "1"
    tasks.cancel(made[0])
    assert retry(made[0]) is None
