"""Wait for a task: `?wait=N` and `Prefer: wait=N`."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pytest
from flask import Flask

from app.core.db import connection, tasks, waiters
from app.core.db.tasks import Task
from app.waiting import is_client_gone
from tests.app.conftest import MakeWeb
from tests.app.posting import RECORDING, post, refused, submitted
from tests.app.rows import claimed, completed, row
from tests.service import promptly


def later(seconds: float, action: Callable[[], object]) -> threading.Thread:
    """Do something in another thread, on a database connection of its own."""

    def act() -> None:
        time.sleep(seconds)
        with connection.database.connection_context():
            action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


@pytest.mark.parametrize("how", ["query", "header"])
def test_poll_waits_for_the_end(anywhere: Flask, how: str) -> None:
    identifier = submitted(anywhere)
    thread = later(0.3, completed)
    query, headers = ("?wait=30", {}) if how == "query" else ("", {"Prefer": "respond-async, wait=30"})
    begun = time.monotonic()
    answer = anywhere.test_client().get(f"/task/{identifier}{query}", headers=headers)
    thread.join()
    assert 0.2 < time.monotonic() - begun < promptly(3)
    assert answer.get_json()["status"] == "COMPLETED" and answer.get_json()["result"] == []
    assert answer.headers["Preference-Applied"] == "wait=30" and "Prefer" in answer.headers["Vary"]


def test_poll_ends_with_the_state_reached(web: Flask) -> None:
    identifier = submitted(web)
    begun = time.monotonic()
    answer = web.test_client().get(f"/task/{identifier}?wait=1")
    assert time.monotonic() - begun >= 1
    assert (answer.status_code, answer.get_json()["status"]) == (200, "QUEUED")
    assert answer.headers["Retry-After"] == "1"


def test_wait_is_capped_and_the_cap_is_said(web: Flask) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        completed()
    assert web.test_client().get(f"/task/{identifier}?wait=9999").headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("wait", ["-1", "x", "1.5", "1e3", "9" * 30])
def test_bad_wait_is_refused(web: Flask, wait: str) -> None:
    identifier = submitted(web)
    refused(web.test_client().get(f"/task/{identifier}?wait={wait}"), 422, "wait")
    refused(post(web, f"?wait={wait}"), 422, "wait")


@pytest.mark.parametrize("header", ["wait", "wait=", "wait=-1", "wait=x", "xwait=5", "wait=5s", '"'])
def test_unreadable_preference_is_ignored(web: Flask, header: str) -> None:
    answer = web.test_client().get(f"/task/{submitted(web)}", headers={"Prefer": header})
    assert answer.status_code == 200 and "Preference-Applied" not in answer.headers


def test_parameter_goes_before_the_header(web: Flask) -> None:
    answer = web.test_client().get(f"/task/{submitted(web)}?wait=0", headers={"Prefer": "wait=30"})
    assert answer.headers["Preference-Applied"] == "wait=0"


def test_submission_waits_for_its_result(anywhere: Flask) -> None:
    thread = later(0.5, lambda: completed('[{"text": "hello"}]'))
    fields = {"file": (io.BytesIO(RECORDING), "a.wav"), "wait": "30"}
    answer = anywhere.test_client().post("/transcription", data=fields)
    thread.join()
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["result"]) == (201, "COMPLETED", [{"text": "hello"}])
    assert answer.headers["Location"] == f"/task/{body['identifier']}"
    assert answer.headers["Preference-Applied"] == "wait=30" and body["message"] == "Transcription task has queued"


def test_deleted_task_ends_the_wait_with_404(web: Flask) -> None:
    identifier = submitted(web)
    thread = later(0.3, lambda: tasks.delete(identifier))
    refused(web.test_client().get(f"/task/{identifier}?wait=30"), 404)
    thread.join()


def test_waiting_clients_leave_threads_for_others(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 4})
    identifier = submitted(web)
    waits: list[str | None] = []

    def wait() -> None:
        waits.append(web.test_client().get(f"/task/{identifier}?wait=2").headers.get("Preference-Applied"))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits, key=str) == [None, None, "wait=2"]  # a quarter of four threads
    again = web.test_client().get(f"/task/{identifier}?wait=0")
    assert again.headers["Preference-Applied"] == "wait=0"  # the thread was given back


def test_waiting_submission_lets_another_upload_begin(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 3})  # one upload at a time
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(post(web, "?wait=5").status_code))
    thread.start()
    with connection.database.connection_context():
        while not Task.select().count():
            time.sleep(0.02)
    time.sleep(0.2)
    assert post(web).status_code == 201
    with connection.database.connection_context():
        completed()
    thread.join()
    assert answers == [201]


def test_task_of_a_waiting_client_is_kept_once_it_is_followed(web: Flask) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        Task.update(waited_at=1.0).execute()
    web.test_client().get(f"/task/{identifier}")
    with connection.database.connection_context():
        assert row(identifier).waited_at is None


def test_closed_connection_is_noticed() -> None:
    import socket

    ours, theirs = socket.socketpair()
    environ = {"gunicorn.socket": ours}
    assert not is_client_gone(environ)
    theirs.sendall(b"next request")
    assert not is_client_gone(environ)
    assert ours.recv(100) == b"next request"  # it was not read
    theirs.close()
    assert is_client_gone(environ)
    ours.close()


def test_ended_task_has_no_waiter(web: Flask) -> None:
    submitted(web)
    with connection.database.connection_context():
        Task.update(waited_at=1.0).execute()
        assert row(claimed().uuid).waited_at == 1.0
        assert tasks.cancel(Task.get().uuid)
        assert Task.get().waited_at is None and waiters.list_all() == []


def test_clients_that_may_not_wait_come_back_at_different_times(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 4})
    identifier = submitted(web)
    with web.test_client() as client:
        stream = client.get(f"/task/{identifier}/events", buffered=False)  # holds the only thread for waiting
        polls = {client.get(f"/task/{identifier}?wait=9").headers["Retry-After"] for _ in range(30)}
        events = {client.get(f"/task/{identifier}/events").headers["Retry-After"] for _ in range(30)}
        stream.close()
    assert min(len(polls), len(events)) > 3 and {int(seconds) for seconds in polls | events} <= set(range(5, 16))
