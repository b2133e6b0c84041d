"""GET /task: newest first, in pages that stay correct while tasks are added and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from app.core.db import retention, tasks
from app.core.db.tasks import Task
from app.current import get_settings
from app.schemas.listing import TaskSummary, encode_cursor
from tests.app.posting import refused, submitted
from tests.app.rows import claimed, completed


def listed(web: Flask, address: str = "/task") -> dict[str, Any]:
    answer = web.test_client().get(address)
    assert (answer.status_code, answer.content_type) == (200, "application/json"), answer.text
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"tasks", "next"}
    return body


def identifiers(body: dict[str, Any]) -> list[str]:
    return [task["identifier"] for task in body["tasks"]]


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def followed(web: Flask, address: str) -> list[list[str]]:
    pages, following = [], address
    while following:
        body = listed(web, following)
        pages.append(identifiers(body))
        following = body["next"]
    return pages


def test_empty_database_is_an_empty_list(anywhere: Flask) -> None:
    assert listed(anywhere) == {"tasks": [], "next": None}


def test_newest_tasks_come_first_and_pages_are_complete(anywhere: Flask) -> None:
    made = [submitted(anywhere) for _ in range(7)]
    pages = followed(anywhere, "/task?limit=3")
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [identifier for page in pages for identifier in page] == made[::-1]
    assert followed(anywhere, "/task?limit=7") == [made[::-1]], "a full last page has no next page"


def test_default_page_has_fifty_tasks(anywhere: Flask) -> None:
    for number in range(51):
        tasks.submit(f"t{number}", "transcription", {}, "a.wav", [])
    assert len(listed(anywhere)["tasks"]) == 50
    assert len(listed(anywhere, "/task?limit=200")["tasks"]) == 51


def test_pages_stay_in_place_while_tasks_come_and_go(anywhere: Flask) -> None:
    made = [submitted(anywhere) for _ in range(6)]
    first = listed(anywhere, "/task?limit=2")
    submitted(anywhere), submitted(anywhere)
    tasks.delete(made[4])  # the task that the cursor points to
    second = listed(anywhere, first["next"])
    assert identifiers(first) + identifiers(second) == made[5:1:-1]


def test_listed_task_has_every_field_but_the_result(anywhere: Flask) -> None:
    identifier = submitted(anywhere, "?beam_size=2")
    completed('[{"text": "megabytes"}]')
    (shown,) = listed(anywhere)["tasks"]
    whole = anywhere.test_client().get(f"/task/{identifier}").get_json()
    large = ("result", "revision", "speaker_embeddings", "speaker_turns")
    assert shown == {name: value for name, value in whole.items() if name not in large}
    assert set(shown) == set(TaskSummary().fields)
    assert whole["result"] == [{"text": "megabytes"}]


def test_results_are_not_read_for_a_list_or_an_unfinished_task(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    done, running, waiting = (submitted(web) for _ in range(3))
    completed(), claimed()
    said: list[str] = []
    execute = Task._meta.database.execute_sql
    monkeypatch.setattr(
        Task._meta.database.obj, "execute_sql", lambda sql, *rest: said.append(sql) or execute(sql, *rest)
    )
    for path in ("/task", f"/task/{running}", f"/task/{waiting}", f"/task/{waiting}/result"):
        web.test_client().get(path)
    assert any('"task_type"' in sql for sql in said) and not any('"result"' in sql for sql in said)
    web.test_client().get(f"/task/{done}")
    assert len([sql for sql in said if '"result"' in sql]) == 1


def test_filters_apply_to_every_page(anywhere: Flask) -> None:
    done = [submitted(anywhere) for _ in range(3)]
    for _ in done:
        completed()
    tasks.submit("speech", "vad", {}, "a.wav", [])
    running, waiting = submitted(anywhere), submitted(anywhere)
    claimed(), claimed()
    assert followed(anywhere, "/task?status=COMPLETED&limit=2") == [[done[2], done[1]], [done[0]]]
    assert followed(anywhere, "/task?status=IN_PROGRESS") == [[running, "speech"]]
    assert followed(anywhere, "/task?status=IN_PROGRESS&task_type=transcription") == [[running]]
    assert followed(anywhere, "/task?status=QUEUED") == [[waiting]]
    assert followed(anywhere, "/task?task_type=transcription&limit=200")[0] == [waiting, running, *done[::-1]]
    assert followed(anywhere, "/task?status=FAILED") == [[]]


def test_list_shows_queue_positions(anywhere: Flask) -> None:
    submitted(anywhere)
    made = [submitted(anywhere) for _ in range(3)]
    claimed()
    places = {task["identifier"]: task["queue_position"] for task in listed(anywhere)["tasks"]}
    assert [places[identifier] for identifier in made] == [1, 2, 3]
    assert list(places.values())[-1] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"limit={value}", "limit") for value in ("0", "201", "-1", "x", "1.5", "9" * 5000, "nan", "%00")),
        *(
            (f"cursor={value}", "cursor")
            for value in ("x", "!", "2A", "0x2a", "-5", "2_a", "%ff", "%00", "ä", "a" * 9000)
        ),
        (f"cursor={encode_cursor(16**15)}", "cursor"),
        *((f"status={value}", "status") for value in ("queued", "DONE", "%00", "%ff", "QUEUED,FAILED")),
        *((f"task_type={value}", "task_type") for value in ("music", "TRANSCRIPTION")),
        ("offset=1", "offset"),
        ("%ff=1", "\udcff"),
        ("limit=1&limit=2", "limit"),
        ("status=QUEUED&status=QUEUED", "status"),
    ],
    ids=lambda value: value[:24].encode("ascii", "replace").decode(),
)
def test_invalid_list_parameter_is_named(anywhere: Flask, query: str, field: str) -> None:
    refused(anywhere.test_client().get(f"/task?{query}"), 422, field)


def test_cursor_outside_the_rows_is_accepted(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    assert identifiers(listed(anywhere, f"/task?cursor={encode_cursor(10**17)}")) == [identifier]
    assert identifiers(listed(anywhere, f"/task?cursor={encode_cursor(0)}")) == []


@pytest.mark.parametrize("query", ["limit=", "cursor=", "status=&task_type=", "limit=%20", "_=1700000000000"])
def test_empty_filters_and_cache_busters_are_ignored(web: Flask, query: str) -> None:
    identifier = submitted(web)
    assert identifiers(listed(web, f"/task?{query}")) == [identifier]


def test_unknown_filter_names_the_one_that_is_meant(web: Flask) -> None:
    body = refused(web.test_client().get("/task?state=FAILED&limits=5&nonsense=1"), 422, "state", "limits", "nonsense")
    assert body["errors"]["state"] == ["Unknown parameter. Do you mean status?"]
    assert body["errors"]["limits"] == ["Unknown parameter. Do you mean limit?"]
    assert "/docs" in body["errors"]["nonsense"][0]


@pytest.mark.parametrize("path", ["/task", "/task/", "/task/?limit=1"])
def test_trailing_slash_of_the_listing_makes_no_difference(web: Flask, path: str) -> None:
    assert len(listed(web, path)["tasks"]) == 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("grünwald", ["Gr\u00fcnwald 1.mp3", "GRU\u0308NWALD 2.wav"]),
        ("GRU\u0308NWALD", ["Gr\u00fcnwald 1.mp3", "GRU\u0308NWALD 2.wav"]),
        ("2.WAV", ["GRU\u0308NWALD 2.wav"]),
        ("100%_a", ["100%_a.mp3"]),
        ("%", ["100%_a.mp3"]),
        ("  mp3 ", ["Gr\u00fcnwald 1.mp3", "100%_a.mp3", "100 ba.mp3"]),
        ("nothing", []),
    ],
)
def test_search_finds_file_names_in_any_case(anywhere: Flask, asked: str, found: list[str]) -> None:
    for name in ("Gr\u00fcnwald 1.mp3", "GRU\u0308NWALD 2.wav", "100%_a.mp3", "100 ba.mp3"):
        tasks.submit(name, "transcription", {}, name, [])
    body = listed(anywhere, f"/task?{urlencode({'q': asked})}")
    assert [task["file_name"] for task in body["tasks"]] == found[::-1]


def test_pages_of_a_search_keep_its_words(anywhere: Flask) -> None:
    for number in range(5):
        tasks.submit(f"t{number}", "transcription", {}, f"{'odd & ends' if number % 2 else 'even'} {number}.wav", [])
    assert followed(anywhere, "/task?q=ODD+%26&limit=1&brief=true") == [["t3"], ["t1"]]


def test_brief_list_leaves_out_the_parameters(anywhere: Flask) -> None:
    submitted(anywhere), submitted(anywhere)
    (full, _), (brief, _) = listed(anywhere)["tasks"], listed(anywhere, "/task?brief=true")["tasks"]
    assert set(full) - set(brief) == {"task_params"}
    body = listed(anywhere, "/task?brief=true&limit=1")
    assert "task_params" not in listed(anywhere, body["next"])["tasks"][0]


def test_list_says_when_files_expire(anywhere: Flask) -> None:
    first = submitted(anywhere)
    assert listed(anywhere)["tasks"][0]["files_expire_at"] is None
    completed()
    (ended,) = listed(anywhere)["tasks"]
    kept = parse(ended["files_expire_at"]) - parse(ended["finished_at"])
    assert kept.total_seconds() == pytest.approx(get_settings(anywhere).cache.ttl, abs=0.01)
    assert ended["files_purged_at"] is None
    retention.mark_purged(first)
    (purged,) = listed(anywhere)["tasks"]
    assert purged["files_expire_at"] is None and purged["files_purged_at"] is not None
