"""POST /batch: all recordings are accepted with one set of parameters, or none is."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from peewee import OperationalError
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.core.db import connection, tasks
from app.core.storage.storage import Storage
from app.current import get_settings
from app.factory import create_app
from app.submission import uploads
from tests.app.conftest import MakeWeb
from tests.app.posting import assert_nothing_stored, kept, refused, rows
from tests.app.processes import in_processes
from tests.app.rows import claimed, completed

PUBLIC = "http://93.184.215.14"
NAMES = ["monday.mp3", "tuesday.mp3", "monday.mp3"]


def post_batch(web: Flask, query: str = "", names: Any = NAMES, headers: Any = None, **form: Any) -> TestResponse:
    """POST one recording for each name, with its own content, and the fields of ``form``."""
    files = [("file", (io.BytesIO(f"{number} {name}".encode()), name)) for number, name in enumerate(names)]
    fields = [
        (name, value) for name, values in form.items() for value in (values if type(values) is list else [values])
    ]
    data: Any = MultiDict([*files, *fields])
    kind = "multipart/form-data"
    return web.test_client().post(f"/batch{query}", data=data, content_type=kind, headers=headers)


def batched(web: Flask, *arguments: Any, **form: Any) -> dict[str, Any]:
    answer = post_batch(web, *arguments, **form)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


@pytest.mark.parametrize("slash", ["", "/"])
def test_batch_is_answered_with_a_task_for_each_recording_in_order(anywhere: Flask, slash: str) -> None:
    answer = post_batch(anywhere, f"{slash}?lang=de", beam_size="3")
    assert answer.status_code == 201 and answer.history == ()
    body = answer.get_json()
    assert body["status"] == "QUEUED" and body["message"] == "3 transcription tasks have queued"
    assert answer.headers["Location"] == f"/batch/{body['identifier']}"
    assert [line["file_name"] for line in body["tasks"]] == NAMES
    stored = rows()
    assert [row.uuid for row in stored] == [line["identifier"] for line in body["tasks"]]
    assert {row.batch for row in stored} == {body["identifier"]}
    for number, row in enumerate(stored):
        params = json.loads(row.params)
        assert (params["lang"], params["beam_size"], row.task_type) == ("de", 3, "transcription")
        source = get_settings(anywhere).cache.path / row.uuid / "source"
        assert source.read_text() == f"{number} {NAMES[number]}"
    assert len(kept(anywhere)) == 6


def test_files_and_urls_of_query_and_form_come_in_this_order(web: Flask) -> None:
    urls = [f"{PUBLIC}/c.wav?token=secret", f"{PUBLIC}/d.wav"]
    body = batched(web, f"?file_url={PUBLIC}/b.wav", ["a.wav"], file_url=["", *urls])
    assert [line["file_name"] for line in body["tasks"]] == ["a.wav", "b.wav", "c.wav", "d.wav"]
    first, *others = rows()
    assert first.source_url is None and [row.source_url for row in others] == [f"{PUBLIC}/b.wav", *urls]
    assert "secret" not in others[1].params


def test_urls_alone_need_no_form(web: Flask) -> None:
    answer = web.test_client().post(f"/batch?file_url={PUBLIC}/a.wav&file_url={PUBLIC}/b.wav")
    assert answer.status_code == 201 and len(rows()) == 2


@pytest.mark.parametrize(
    ("kind", "parameter", "foreign"),
    [("vad", "threshold=0.7", "beam_size"), ("bgm-separation", "stem_format=flac", "threshold")],
)
def test_each_kind_of_task_has_its_own_parameters(web: Flask, kind: str, parameter: str, foreign: str) -> None:
    wrong = refused(post_batch(web, f"?task_type={kind}&{foreign}=1"), 422, foreign)
    assert wrong["errors"][foreign] == [f"Tasks of type {kind} do not have this parameter."]
    assert_nothing_stored(web)
    assert batched(web, f"?{parameter}", task_type=kind)["message"] == f"3 {kind} tasks have queued"
    name, value = parameter.split("=")
    assert {row.task_type for row in rows()} == {kind}
    assert all(str(json.loads(row.params)[name]) == value for row in rows())


def test_parameters_without_effect_are_warned_about_in_each_task(web: Flask) -> None:
    batched(web, "?threshold=0.7")
    assert {row.warnings for row in rows()} == {'["threshold has no effect: vad_filter is off."]'}


@pytest.mark.parametrize(
    ("query", "form", "field"),
    [
        ("?beam_size=0", {}, "beam_size"),
        ("?nonsense=1", {}, "nonsense"),
        ("?lang=de", {"lang": "de"}, "lang"),
        ("", {"file": "text"}, "file"),
        ("?task_type=dictation", {}, "task_type"),
        ("?task_type=vad", {"task_type": "vad"}, "task_type"),
        ("?wait=soon", {}, "wait"),
        ("", {"file_url": ["ftp://example.org/a", f"{PUBLIC}/b"]}, "file_url"),
        ("", {"file_url": [f"{PUBLIC}/b", "http://127.0.0.1/a"]}, "file_url"),
        ("", {"audio": (io.BytesIO(b"a"), "a.wav")}, "audio"),
    ],
)
def test_one_mistake_refuses_the_whole_batch(anywhere: Flask, query: str, form: dict[str, Any], field: str) -> None:
    form = {name: (io.BytesIO(b"a"), "a.wav") if isinstance(value, tuple) else value for name, value in form.items()}
    refused(post_batch(anywhere, query, **form), 422, field)
    assert_nothing_stored(anywhere)


def test_wrong_urls_and_empty_files_are_named_by_their_number(web: Flask) -> None:
    answer = post_batch(web, file_url=[f"{PUBLIC}/b", "http://127.0.0.1/a", "ftp://x/y"])
    (say,) = refused(answer, 422, "file_url")["errors"]["file_url"]
    assert say.startswith("URL 3: ")
    answer = post_batch(web, file_url=[f"{PUBLIC}/b", "http://127.0.0.1/a"])
    (say,) = refused(answer, 422, "file_url")["errors"]["file_url"]
    assert say.startswith("URL 2: ")
    data: Any = MultiDict([("file", (io.BytesIO(b"a"), "a.wav")), ("file", (io.BytesIO(b""), "b.wav"))])
    body = refused(web.test_client().post("/batch", data=data), 422, "file")
    assert body["errors"]["file"] == ["File 2 ('b.wav') is empty."]
    assert_nothing_stored(web)


def test_batch_without_recordings_is_refused(web: Flask) -> None:
    for answer in (web.test_client().post("/batch"), post_batch(web, names=[]), post_batch(web, "?file_url=", [])):
        assert "'file_url'" in refused(answer, 422, "file")["errors"]["file"][0]
    refused(web.test_client().post("/batch", json={"file_url": f"{PUBLIC}/a"}), 415)


def test_number_of_recordings_is_limited(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_batch": 2})
    for answer in (post_batch(web), post_batch(web, names=[], file_url=[f"{PUBLIC}/{n}" for n in range(3)])):
        body = answer.get_json()
        assert answer.status_code == 422 and "at most 2 recordings, not 3" in str(body["errors"])
    assert_nothing_stored(web)
    assert len(batched(web, names=NAMES[:2])["tasks"]) == 2


def test_batch_of_the_largest_size_is_accepted(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_batch": 300, "min_free_mb": 0})
    assert len(batched(web, names=["a"] * 300, lang="de")["tasks"]) == 300


def test_batch_that_does_not_fit_into_the_queue_is_429(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 4})
    batched(web, names=NAMES[:2])
    before = kept(web)
    answer = post_batch(web)
    assert "no room for 3 more" in refused(answer, 429)["message"]
    assert int(answer.headers["Retry-After"]) > 0 and len(rows()) == 2 and kept(web) == before
    refused(post_batch(web, names=["a"] * 5), 422, "file")  # it would never fit
    batched(web, names=NAMES[:2])
    refused(post_batch(web, names=["a"]), 429)


def test_full_queue_does_not_prevent_cancelling(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 3})
    identifier = batched(web)["identifier"]
    assert web.test_client().post(f"/batch/{identifier}/cancel").status_code == 202


def test_all_files_are_durable_before_the_tasks_exist(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, submit = get_settings(web).cache.path, tasks.submit

    def committing(*arguments: Any, **columns: Any) -> None:
        assert len(list(cache.glob("*/source"))) == 3 and not list((cache / "incoming").iterdir())
        submit(*arguments, **columns)

    monkeypatch.setattr(tasks, "submit", committing)
    batched(web)


def test_failure_at_the_last_file_leaves_nothing(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[str] = []
    store = uploads.store_upload

    def failing(upload: Any, storage: Storage, identifier: str) -> None:
        if len(stored) == 2:
            raise OSError(28, "No space left on device")
        stored.append(identifier)
        store(upload, storage, identifier)

    monkeypatch.setattr(uploads, "store_upload", failing)
    refused(post_batch(web), 507)
    assert len(stored) == 2
    assert_nothing_stored(web)


def test_failure_at_the_last_row_commits_no_task(anywhere: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = tasks.submit

    def failing(identifier: str, task_type: str, params: Any, label: str, *more: Any, **columns: Any) -> None:
        if label == "c":
            raise OperationalError("disk I/O error")
        submit(identifier, task_type, params, label, *more, **columns)

    with monkeypatch.context() as faulty:
        faulty.setattr(tasks, "submit", failing)
        refused(post_batch(anywhere, names=["a", "b", "c"]), 503)
    assert rows() == []
    assert len(batched(anywhere)["tasks"]) == 3


@contextmanager
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    asked: list[str] = []

    def look_up(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        yield asked


def test_each_host_is_looked_up_once(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_names(monkeypatch) as asked:
        batched(web, names=[], file_url=[f"https://{host}.example/{n}" for n in range(10) for host in "ab"])
    assert sorted(asked) == ["a.example", "b.example"]


# --- the same batch again ---

KEY = {"Idempotency-Key": '"batch-1"'}


def test_same_key_gives_the_same_batch(anywhere: Flask) -> None:
    first, second = (batched(anywhere, headers=KEY) for _ in range(2))
    assert first == second and len(rows()) == 3 and len(kept(anywhere)) == 6
    assert batched(anywhere)["identifier"] != first["identifier"]


def test_same_key_with_another_batch_is_422(anywhere: Flask) -> None:
    batched(anywhere, headers=KEY)
    before = kept(anywhere)
    refused(post_batch(anywhere, headers=KEY, names=NAMES[:2]), 422, "Idempotency-Key")
    refused(post_batch(anywhere, "?lang=de", headers=KEY), 422, "Idempotency-Key")
    assert len(rows()) == 3 and kept(anywhere) == before


def test_key_does_not_need_room_in_the_queue(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 5})
    assert batched(web, headers=KEY) == batched(web, headers=KEY)


def submit_at_once(barrier: Any, settings: Any) -> str:
    web = create_app(settings)
    barrier.wait(60)
    identifier: str = batched(web, headers=KEY)["identifier"]
    connection.database.close()
    return identifier


def test_key_sent_twice_at_once_makes_one_batch(anywhere: Flask) -> None:
    assert len(set(in_processes(submit_at_once, 3, get_settings(anywhere)))) == 1
    assert len(rows()) == 3 and len(kept(anywhere)) == 6


def test_equal_batch_is_shared_on_request(anywhere: Flask) -> None:
    first = batched(anywhere)["identifier"]
    assert batched(anywhere, "?reuse=true")["identifier"] == first
    completed()
    assert batched(anywhere, reuse="true")["identifier"] == first
    assert len(rows()) == 3 and len(kept(anywhere)) == 6
    assert batched(anywhere, "?reuse=true", names=NAMES[:2])["identifier"] != first
    assert batched(anywhere, "?reuse=true&lang=de")["identifier"] != first


def test_batch_with_a_failed_task_is_not_shared(anywhere: Flask) -> None:
    first = batched(anywhere)["identifier"]
    completed()
    tasks.fail(claimed(), "no_audio", "There is no sound in it.", [], None)
    assert batched(anywhere, "?reuse=true")["identifier"] != first
