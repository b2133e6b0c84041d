"""The limits of a key: 429 with Retry-After, without a trace in storage, and other keys are not affected."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from app.core.db import api_keys, connection, tasks
from app.core.db.api_keys import ApiKey
from app.submission import key_limits
from tests.app.calling import Caller, make_key
from tests.app.posting import kept, refused, rows
from tests.app.rows import claimed


def test_key_with_too_many_waiting_tasks_is_refused(web: Flask) -> None:
    alice, bob = Caller(web, make_key("alice", max_queued=2)), Caller(web, make_key("bob"))
    identifiers = [alice.submit(), alice.submit()]
    before = kept(web)
    answer = alice.post()
    assert "2 waiting tasks" in refused(answer, 429)["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert kept(web) == before
    assert alice.get(f"/task/{identifiers[0]}").status_code == 200, "the tasks can still be followed"
    bob.submit()
    claimed()
    alice.submit()


def test_simultaneous_uploads_do_not_exceed_the_limit(anywhere: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them pass the check before the body; the one at the commit decides."""
    key = make_key(max_queued=2)
    barrier = threading.Barrier(5)
    monkeypatch.setattr("app.submission.admission.check_key_limits", lambda: barrier.wait(30))
    answers: list[int] = []

    def upload(number: int) -> None:
        answers.append(Caller(anywhere, key).post(recording=b"RIFF %d" % number).status_code)
        connection.database.close()

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [201, 201, 429, 429, 429]
    assert len(rows()) == 2 and len(kept(anywhere)) == 4, "nothing of the refused ones is stored"


def test_key_that_has_used_its_hours_is_refused_until_they_are_a_day_ago(anywhere: Flask) -> None:
    alice, bob = Caller(anywhere, make_key("alice", max_audio_hours_per_day=1.5)), Caller(anywhere, make_key("bob"))
    identifier = alice.submit()
    assert tasks.complete(claimed(), "json", "[]", [], 1.0, audio_duration=3600.0)
    alice.submit()
    assert tasks.complete(claimed(), "json", "[]", [], 1.0, audio_duration=3600.0)
    before = kept(anywhere)
    answer = alice.post()
    assert "1.5 hours of audio" in refused(answer, 429)["message"]
    assert 23 * 3600 < int(answer.headers["Retry-After"]) <= 25 * 3600
    assert kept(anywhere) == before
    assert alice.open(f"/task/{identifier}", "DELETE").status_code == 204
    assert alice.post().status_code == 429, "deleting tasks gives no hours back"
    bob.submit()


def test_key_that_sends_too_many_requests_is_refused(web: Flask) -> None:
    alice, bob = Caller(web, make_key("alice", requests_per_minute=3)), Caller(web, make_key("bob"))
    assert [alice.get("/task").status_code for _ in range(3)] == [200, 200, 200]
    answer = alice.get("/task")
    assert "3 requests per minute" in refused(answer, 429)["message"]
    assert 15 <= int(answer.headers["Retry-After"]) <= 20
    refused(alice.post(), 429)
    assert alice.get("/health/live").status_code == alice.get("/docs").status_code == 200
    assert bob.get("/task").status_code == 200
    ApiKey.update(next_request_at=ApiKey.next_request_at - 20).where(ApiKey.name == "alice").execute()
    assert alice.get("/task").status_code == 200


def test_wrong_keys_do_not_use_up_the_requests_of_a_key(web: Flask) -> None:
    key = make_key(requests_per_minute=1)
    for _ in range(3):
        assert Caller(web, f"{key}x").get("/task").status_code == 401
    assert Caller(web, key).get("/task").status_code == 200


def test_service_without_keys_has_no_limits_of_keys(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "take_request", lambda key: 1 / 0)
    with web.test_request_context():
        key_limits.check_key_limits()
        key_limits.check_key_queue()
    Caller(web, None).submit()
