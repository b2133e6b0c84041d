"""GET /task/<identifier>/events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from sseclient import SSEClient
from werkzeug.test import TestResponse

from app.api import events
from app.core.db import connection, tasks
from tests.app.conftest import MakeWeb
from tests.app.posting import refused, submitted
from tests.app.rows import claimed
from tests.app.test_waiting import later

SEGMENTS = ('{"id": 0, "text": "one"}', '{"id": 1, "text": "two"}')


def follow(web: Flask, identifier: str, query: str = "", **headers: str) -> TestResponse:
    return web.test_client().get(f"/task/{identifier}/events{query}", headers=headers)


def parse(answer: TestResponse) -> list[tuple[str, dict[str, Any], str]]:
    assert answer.status_code == 200, answer.text
    return [(event.event, json.loads(event.data), event.id or "") for event in SSEClient(iter([answer.data])).events()]


def run_through() -> None:
    claim = claimed()
    tasks.report(claim, "transcribe", 0.2)
    tasks.report(claim, "transcribe", 0.4, 0, SEGMENTS[:1])
    tasks.report(claim, "transcribe", 0.5, 1, SEGMENTS[1:])
    tasks.complete(claim, "json", "[]", [], 1.0)


def test_running_task_is_followed_to_its_end(anywhere: Flask) -> None:
    identifier = submitted(anywhere)

    def run() -> None:
        claim = claimed()
        tasks.report(claim, "transcribe", 0.4, 0, SEGMENTS)
        later(0.4, lambda: tasks.complete(claim, "json", "[]", [], 1.0)).join()

    thread = later(0.3, run)
    answer = follow(anywhere, identifier)
    found = parse(answer)
    thread.join()
    assert answer.content_type.startswith("text/event-stream") and answer.headers["Cache-Control"] == "no-cache"
    assert answer.text.startswith("retry: 3000\n\n")
    names = [name for name, _, _ in found]
    assert names[0] == "progress" and names[-1] == "completed"
    assert [data for name, data, _ in found if name == "segment"] == [json.loads(text) for text in SEGMENTS]
    last = found[-1][1]
    assert (last["identifier"], last["status"], last["progress"]) == (identifier, "COMPLETED", 1.0)
    assert "result" not in last


@pytest.mark.parametrize(("end", "name"), [("fail", "failed"), ("cancel", "cancelled")])
def test_each_end_has_its_event(web: Flask, end: str, name: str) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        if end == "fail":
            tasks.fail(claimed(), "no_audio", "There is no sound.", [], 1.0)
        else:
            tasks.cancel(identifier)
    ((found, data, _),) = parse(follow(web, identifier))
    assert found == name and data["status"] == name.upper()


@pytest.mark.parametrize("how", ["header", "query"])
def test_client_that_comes_back_gets_only_what_is_newer(web: Flask, how: str) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        claim = claimed()
        tasks.report(claim, "transcribe", 0.4, 0, SEGMENTS[:1])
        seen = events.Position()
        before = list(events.list_events(tasks.get(identifier), seen, 600))  # type: ignore[arg-type]
        tasks.report(claim, "transcribe", 0.5, 1, SEGMENTS[1:])
        tasks.fail(claim, "timeout", "late", [], 1.0)
    assert len(before) == 2
    position = str(seen)
    answer = (
        follow(web, identifier, **{"Last-Event-ID": position})
        if how == "header"
        else follow(web, identifier, f"?last_event_id={position}")
    )
    found = parse(answer)
    assert [(name, data.get("text")) for name, data, _ in found] == [("segment", "two"), ("failed", None)]
    assert follow(web, identifier, **{"Last-Event-ID": found[-1][2]}).status_code == 204


@pytest.mark.parametrize("position", ["x", "1.2", "-1.0.0", "1.2.3.4", "٣.1.1", "9" * 60])
def test_unknown_position_gets_the_current_state(web: Flask, position: str) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        tasks.cancel(identifier)
    assert [name for name, _, _ in parse(follow(web, identifier, f"?last_event_id={position}"))] == ["cancelled"]


def test_second_attempt_starts_its_segments_over(web: Flask) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        first = claimed()
        tasks.report(first, "transcribe", 0.4, 0, SEGMENTS)
        seen = events.Position()
        list(events.list_events(tasks.get(identifier), seen, 600))  # type: ignore[arg-type]
        tasks.requeue(first)
        second = claimed()
        tasks.report(second, "transcribe", 0.4, 0, SEGMENTS[1:])
        tasks.fail(second, "timeout", "late", [], 1.0)
    found = parse(follow(web, identifier, f"?last_event_id={seen}"))
    assert [data["text"] for name, data, _ in found if name == "segment"] == ["two"]


def test_silence_is_kept_alive_by_comments(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.05)
    identifier = submitted(web)
    thread = later(0.6, lambda: tasks.cancel(identifier))
    assert ": waiting\n\n" in follow(web, identifier).text
    thread.join()


def test_unknown_task_is_404_and_deleted_one_ends_the_stream(web: Flask) -> None:
    refused(follow(web, "none"), 404)
    identifier = submitted(web)
    thread = later(0.3, lambda: tasks.delete(identifier))
    assert [name for name, _, _ in parse(follow(web, identifier))] == ["progress"]
    thread.join()


def test_stream_that_is_left_gives_its_thread_back(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 4})  # one client may wait
    identifier = submitted(web)
    for _ in range(3):
        answer = web.test_client().get(f"/task/{identifier}/events", buffered=False)
        assert answer.status_code == 200 and next(answer.iter_encoded())
        refused(follow(web, identifier), 429)
        answer.close()


def test_partial_result_is_shown_on_request(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    with connection.database.connection_context():
        claim = claimed()
        tasks.report(claim, "transcribe", 0.4, 0, SEGMENTS)
    shown = [json.loads(text) for text in SEGMENTS]
    client = anywhere.test_client()
    assert client.get(f"/task/{identifier}?partial=true").get_json()["result"] == shown
    assert client.get(f"/task/{identifier}").get_json()["result"] is None
    with connection.database.connection_context():
        tasks.complete(claim, "json", '["whole"]', [], 1.0)
    assert client.get(f"/task/{identifier}?partial=true").get_json()["result"] == ["whole"]


def test_stale_claim_shows_no_segments(web: Flask) -> None:
    identifier = submitted(web)
    with connection.database.connection_context():
        stale = claimed()
        tasks.requeue(stale)
        assert not tasks.report(stale, "transcribe", 0.4, 0, SEGMENTS)
    assert web.test_client().get(f"/task/{identifier}?partial=true").get_json()["result"] == []
