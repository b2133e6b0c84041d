"""An equal submission shares a task: on request (`reuse`), or by an Idempotency-Key."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection, reuse, tasks
from app.core.db.reuse import IdempotencyKey
from app.core.db.tasks import Task
from app.current import get_settings
from tests.app.posting import RECORDING, kept, refused, rows
from tests.app.rows import claimed, completed

OTHER = RECORDING + b"x"


def send(
    web: Flask, key: str | None = None, recording: bytes = RECORDING, query: str = "", **form: str
) -> TestResponse:
    headers = {} if key is None else {"Idempotency-Key": key}
    fields = {"file": (io.BytesIO(recording), "a.wav"), **form}
    return web.test_client().post(f"/transcription{query}", data=fields, headers=headers)


def identifier(answer: TestResponse) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["identifier"])


def test_equal_upload_shares_the_waiting_task_and_stores_nothing_more(anywhere: Flask) -> None:
    first = identifier(send(anywhere, query="?reuse=true"))
    assert identifier(send(anywhere, query="?reuse=true&lang=")) == first
    assert kept(anywhere) == [first, f"{first}/source"]


def test_task_made_without_reuse_can_be_shared(web: Flask) -> None:
    first = identifier(send(web))
    assert identifier(send(web)) != first
    assert len(rows()) == 2
    assert identifier(send(web, reuse="true")) == rows()[1].uuid


@pytest.mark.parametrize(
    ("recording", "query"), [(OTHER, "?reuse=true"), (RECORDING, "?reuse=true&lang=de"), (RECORDING, "?reuse=false")]
)
def test_other_submission_is_a_task_of_its_own(web: Flask, recording: bytes, query: str) -> None:
    first = identifier(send(web, query="?reuse=true"))
    assert identifier(send(web, recording=recording, query=query)) != first


def test_running_and_recently_completed_tasks_are_shared(anywhere: Flask) -> None:
    first = identifier(send(anywhere))
    with connection.database.connection_context():
        claim = claimed()
    assert identifier(send(anywhere, reuse="true")) == first
    with connection.database.connection_context():
        assert tasks.complete(claim, "json", "[]", [], 1.0)
    assert identifier(send(anywhere, reuse="true")) == first


def test_task_that_ended_long_ago_failed_or_was_cancelled_is_not_shared(web: Flask) -> None:
    old = identifier(send(web))
    with connection.database.connection_context():
        completed()
        Task.update(finished_at=Task.finished_at - get_settings(web).tasks.reuse_ttl - 1).execute()
    failed = identifier(send(web, reuse="true"))
    with connection.database.connection_context():
        tasks.fail(claimed(), "invalid_media", "no", [], None)
    cancelled = identifier(send(web, reuse="true"))
    with connection.database.connection_context():
        tasks.cancel(cancelled)
    fresh = identifier(send(web, reuse="true"))
    assert len({old, failed, cancelled, fresh}) == 4


def test_same_idempotency_key_gives_the_first_answer(anywhere: Flask) -> None:
    first = send(anywhere, key='"abc"')
    again = send(anywhere, key="abc")
    assert (again.status_code, again.data, again.headers["Location"]) == (201, first.data, first.headers["Location"])
    assert len(rows()) == 1


def test_key_outlives_the_end_of_its_task(web: Flask) -> None:
    first = identifier(send(web, key="abc"))
    with connection.database.connection_context():
        tasks.fail(claimed(), "invalid_media", "no", [], None)
    assert identifier(send(web, key="abc")) == first


def test_same_key_with_another_order_is_refused(web: Flask) -> None:
    identifier(send(web, key="abc"))
    for answer in (send(web, key="abc", recording=OTHER), send(web, key="abc", lang="de")):
        refused(answer, 422, "Idempotency-Key")
    assert len(rows()) == 1 and len(kept(web)) == 2


def test_key_holds_for_one_endpoint(web: Flask) -> None:
    identifier(send(web, key="abc"))
    other = web.test_client().post(
        "/vad", data={"file": (io.BytesIO(RECORDING), "a.wav")}, headers={"Idempotency-Key": "abc"}
    )
    assert identifier(other) == rows()[1].uuid


def test_too_long_key_is_refused(web: Flask) -> None:
    refused(send(web, key="x" * 256), 422, "Idempotency-Key")
    assert rows() == [] and kept(web) == []


def test_refused_submission_uses_up_no_key(web: Flask) -> None:
    refused(send(web, key="abc", threshold="2"), 422, "threshold")
    assert identifier(send(web, key="abc"))


def test_key_expires_and_goes_with_its_task(web: Flask) -> None:
    first = identifier(send(web, key="abc"))
    with connection.database.connection_context():
        IdempotencyKey.update(created_at=IdempotencyKey.created_at - reuse.KEPT_SECONDS - 1).execute()
    second = identifier(send(web, key="abc"))
    assert second != first
    web.test_client().delete(f"/task/{second}")
    with connection.database.connection_context():
        assert IdempotencyKey.select().count() == 0


@pytest.mark.parametrize("kwargs", [{"key": "abc"}, {"query": "?reuse=true"}])
def test_equal_uploads_at_the_same_moment_make_one_task(anywhere: Flask, kwargs: dict[str, str]) -> None:
    barrier = threading.Barrier(6)

    def upload(number: int) -> str:
        barrier.wait()
        return identifier(send(anywhere, **kwargs))

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(upload, range(6)))
    assert len(found) == 1 and len(rows()) == 1
    (only,) = found
    assert kept(anywhere) == [only, f"{only}/source"]


def test_equal_urls_share_a_task(web: Flask) -> None:
    link = {"file_url": "http://93.184.216.34/a.wav?token=1", "reuse": "true"}
    first, second = (identifier(web.test_client().post("/vad", data=link)) for _ in range(2))
    assert first == second
    other = web.test_client().post("/vad", data=link | {"file_url": "http://93.184.216.34/b.wav"})
    assert identifier(other) != first


def test_file_field_named_reuse_is_unknown(web: Flask) -> None:
    fields = {"file": (io.BytesIO(RECORDING), "a.wav"), "reuse": (io.BytesIO(b"x"), "b")}
    refused(web.test_client().post("/vad", data=fields), 422, "reuse")
