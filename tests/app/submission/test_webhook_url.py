"""A submission may name who is informed of the end of its task."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask

from app.core.db import connection, tasks
from app.core.webhooks import Receiver
from tests.app.conftest import MakeWeb
from tests.app.posting import ENDPOINTS, RECORDING, REQUIRED, assert_nothing_stored, post, refused, rows, submitted
from tests.app.rows import completed

URL = "https://93.184.215.14/hook?token=secret"


def receiver() -> Receiver | None:
    (row,) = rows()
    return Receiver.from_json(row.webhook) if row.webhook else None


def shown(web: Flask, identifier: str) -> Any:
    answer = web.test_client().get(f"/task/{identifier}")
    assert "secret" not in answer.text
    (listed,) = web.test_client().get("/task").get_json()["tasks"]
    assert listed["webhook"] == answer.get_json()["webhook"]
    return answer.get_json()["webhook"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("place", ["form", "query"])
def test_receiver_is_stored_with_the_task(web: Flask, path: str, place: str) -> None:
    given = {"webhook_url": URL}
    client = web.test_client()
    answer = post(web, path=path, **given) if place == "form" else None
    if answer is None:
        files = {"file": (io.BytesIO(RECORDING), "a.wav")}
        answer = client.post(path, query_string=given, data=files | REQUIRED.get(path, {}))
    assert answer.status_code == 201, answer.text
    assert receiver() == Receiver(URL)


def test_task_shows_the_state_of_its_message_but_not_the_url(anywhere: Flask) -> None:
    identifier = submitted(anywhere, webhook_url=URL)
    assert shown(anywhere, identifier) == {"status": "PENDING", "attempts": 0, "last_error": None}
    with connection.database.connection_context():
        completed()
    assert shown(anywhere, identifier) == {"status": "PENDING", "attempts": 0, "last_error": None}


def test_task_without_receiver_shows_null(web: Flask) -> None:
    assert shown(web, submitted(web)) is None


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/", "hook", "http://", "https://user:pass@a.example/", "http://127.0.0.1/", "http://127.1/"),
        *("http://169.254.169.254/", "http://[::1]/", "http://10.0.0.1/", "http://a.example/\n", "x" * 9000),
    ],
)
def test_unusable_url_is_refused(web: Flask, url: str) -> None:
    refused(post(web, webhook_url=url), 422, "webhook_url")
    assert_nothing_stored(web)


def test_receiver_inside_needs_fetch_allow(make_web: MakeWeb) -> None:
    web = make_web(fetch={"allow": ("127.0.0.0/8",)})
    submitted(web, webhook_url="http://127.0.0.1:9/hook")
    assert receiver() == Receiver("http://127.0.0.1:9/hook")


def test_receiver_is_refused_where_webhooks_are_disabled(make_web: MakeWeb) -> None:
    web = make_web(webhooks={"enabled": False, "url": URL})
    refused(post(web, webhook_url=URL), 422, "webhook_url")
    submitted(web, webhook_url="")
    assert receiver() is None


def test_configured_receiver_gets_the_tasks_without_one(make_web: MakeWeb) -> None:
    web = make_web(webhooks={"url": "https://operator.example/hook"})
    submitted(web)
    assert receiver() == Receiver("https://operator.example/hook")
    tasks.delete(rows()[0].uuid)
    submitted(web, webhook_url=URL)
    assert receiver() == Receiver(URL)


def test_task_with_a_receiver_is_not_shared_and_says_so(web: Flask) -> None:
    first, second = (submitted(web, reuse="true", webhook_url=URL) for _ in range(2))
    assert first != second
    assert "reuse has no effect" in json.loads(rows()[0].warnings)[0]


def test_repeated_request_with_the_same_key_gets_the_task_and_another_receiver_a_422(web: Flask) -> None:
    def send(url: str) -> Any:
        form = {"file": (io.BytesIO(RECORDING), "a.wav"), "webhook_url": url}
        return web.test_client().post("/transcription", data=form, headers={"Idempotency-Key": "k"})

    first, again = send(URL), send(URL)
    assert (first.status_code, again.status_code) == (201, 201) and first.get_json() == again.get_json()
    refused(send(f"{URL}2"), 422, "Idempotency-Key")


def test_refused_url_is_not_repeated_in_answer_or_log(web: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    answer = post(web, webhook_url="https://user:hunter2@a.example/?token=secret")
    assert "secret" not in answer.text + caplog.text and "hunter2" not in answer.text + caplog.text
