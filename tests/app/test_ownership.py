"""A task belongs to the key that submitted it; to other keys, it does not exist."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.core.db import api_keys
from app.core.db.tasks import Task
from tests.app.calling import Caller, make_key
from tests.app.posting import submitted
from tests.app.rows import completed

UNKNOWN = "86bf091c-17e9-4293-9839-95f53f70653e"
REQUESTS = [
    ("GET", "/task/{}"),
    ("GET", "/task/{}?wait=1"),
    ("GET", "/task/{}?partial=true"),
    ("GET", "/task/{}/events"),
    ("GET", "/task/{}/result"),
    ("GET", "/task/{}/result?format=srt"),
    ("GET", "/task/file/{}"),
    ("GET", "/task/{}/file/vocals.wav"),
    ("GET", "/task/{}/recording"),
    ("GET", "/task/{}/waveform"),
    ("GET", "/results?task={}"),
    ("POST", "/task/{}/again"),
    ("POST", "/task/{}/cancel"),
    ("DELETE", "/task/{}"),
]


def list_identifiers(caller: Caller, query: str = "") -> list[str]:
    return [task["identifier"] for task in caller.get(f"/task{query}").get_json()["tasks"]]


def trace(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Record each statement, and how many rows it has returned, from now on."""
    statements: list[tuple[str, int]] = []
    real = Task.select().__class__._execute

    def execute(query: Any, database: Any) -> Any:
        cursor = real(query, database)
        statements.append((query.sql()[0], len(list(cursor))))
        return cursor

    monkeypatch.setattr(Task.select().__class__, "_execute", execute)
    return statements


def test_task_of_another_key_looks_like_an_unknown_one(anywhere: Flask) -> None:
    alice, bob = Caller(anywhere, make_key("alice")), Caller(anywhere, make_key("bob"))
    completed_task = alice.submit()
    completed()
    asked = [(each, *how) for each in (completed_task, alice.submit("/vad")) for how in REQUESTS]
    for identifier, method, path in asked:
        unknown, others = (bob.open(path.format(each), method) for each in (UNKNOWN, identifier))
        assert (others.status_code, others.data) == (unknown.status_code, unknown.data)
        assert unknown.status_code == 404 and list(others.headers) == list(unknown.headers)
    assert len(list_identifiers(alice)) == 2


def test_task_of_another_key_costs_the_same_queries_as_an_unknown_one(
    anywhere: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = Caller(anywhere, make_key("alice")), Caller(anywhere, make_key("bob"))
    identifier = alice.submit()
    statements = trace(monkeypatch)
    seen = []
    for each in (UNKNOWN, identifier):
        statements.clear()
        assert bob.get(f"/task/{each}").status_code == 404
        seen.append(list(statements))
    assert seen[0] == seen[1] and ("task", 0) in [("task" if '"task"' in sql else "", rows) for sql, rows in seen[1]]


def test_lists_show_the_own_tasks_only(anywhere: Flask) -> None:
    alice, bob = Caller(anywhere, make_key("alice")), Caller(anywhere, make_key("bob"))
    root = Caller(anywhere, make_key("root", is_admin=True))
    first, second, third = alice.submit(), bob.submit("/vad"), alice.submit("/vad")
    assert list_identifiers(alice) == [third, first]
    assert list_identifiers(alice, "?task_type=vad") == [third]
    assert list_identifiers(alice, "?status=COMPLETED") == []
    assert list_identifiers(bob) == [second]
    assert list_identifiers(root) == [third, second, first]
    page = alice.get("/task?limit=1").get_json()
    assert [task["identifier"] for task in alice.get(page["next"]).get_json()["tasks"]] == [first]
    others = bob.get(page["next"]).get_json()["tasks"]
    assert [task["identifier"] for task in others] == [second], "a cursor shows no more than the key may see"


def test_admin_key_sees_and_changes_all_tasks(web: Flask) -> None:
    alice, root = Caller(web, make_key("alice")), Caller(web, make_key("root", is_admin=True))
    identifier = alice.submit()
    assert root.get(f"/task/{identifier}").status_code == 200
    assert root.open(f"/task/{identifier}/cancel", "POST").status_code == 202
    assert alice.get(f"/task/{identifier}").get_json()["status"] == "CANCELLED"
    assert root.open(f"/task/{identifier}", "DELETE").status_code == 204


def test_tasks_from_before_the_keys_are_for_admins(web: Flask) -> None:
    identifier = submitted(web)
    alice, root = Caller(web, make_key("alice")), Caller(web, make_key("root", is_admin=True))
    assert (list_identifiers(alice), list_identifiers(root)) == ([], [identifier])
    assert alice.get(f"/task/{identifier}").status_code == 404
    assert root.get(f"/task/{identifier}").status_code == 200


def test_idempotency_keys_of_two_api_keys_are_two(anywhere: Flask) -> None:
    alice, bob = Caller(anywhere, make_key("alice")), Caller(anywhere, make_key("bob"))
    same = {"Idempotency-Key": "k"}
    first = alice.submit(**same)
    assert alice.submit(**same) == first
    second = bob.submit(recording=b"RIFF other", **same)
    assert second != first and bob.submit(recording=b"RIFF other", **same) == second


def test_equal_recordings_of_two_keys_are_two_tasks(web: Flask) -> None:
    alice, bob = Caller(web, make_key("alice")), Caller(web, make_key("bob"))
    root = Caller(web, make_key("root", is_admin=True))
    path = "/transcription?reuse=true"
    first = alice.submit(path)
    assert alice.submit(path) == first
    assert len({first, bob.submit(path), root.submit(path)}) == 3


def test_revoked_name_that_is_created_again_keeps_its_tasks(web: Flask) -> None:
    old = Caller(web, make_key("alice"))
    identifier = old.submit()
    assert api_keys.revoke("alice")
    new = Caller(web, make_key("alice"))
    assert new.get(f"/task/{identifier}").status_code == 200
    assert old.get(f"/task/{identifier}").status_code == 401
