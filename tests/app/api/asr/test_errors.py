"""Every error of whisper-asr-webservice's paths is one line of text, and leaves nothing behind."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.core.db import tasks
from tests.app.api.asr.clients import BAZARR_ASR, BAZARR_DETECTION, replay
from tests.app.api.asr.conftest import Ending
from tests.app.conftest import MakeWeb
from tests.app.posting import CRLF, assert_nothing_stored, part, rows

pytestmark = pytest.mark.timeout(60)  # a request that is accepted by mistake would wait for an hour
TEXT = "text/plain; charset=utf-8"
PATHS = ("/asr", "/detect-language?encode=false")


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def told(answer: TestResponse, status: int, code: str) -> str:
    """Check the shape of the error; return its line."""
    assert (answer.status_code, answer.content_type) == (status, TEXT), answer.text
    assert answer.text.startswith(f"{code}: ") and answer.text.count("\n") == 1 and answer.text[-1] == "\n"
    assert "-->" not in answer.text and answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer.text


def send(web: Flask, path: str, content: bytes = b"sound") -> TestResponse:
    return web.test_client().post(path, data={"audio_file": (io.BytesIO(content), "a.wav")})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_405(web: Flask, path: str, method: str) -> None:
    answer = web.test_client().open(path, method=method)
    told(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_below_are_404(web: Flask, method: str) -> None:
    told(web.test_client().open("/asr/models", method=method), 404, "not_found")


@pytest.mark.parametrize("other", ["/asrx", "/detect-language/x?encode=false", "/asr%00"])
def test_other_paths_keep_the_native_shape(web: Flask, other: str) -> None:
    assert web.test_client().post(other).get_json()["code"] == 404


@pytest.mark.parametrize(
    ("form", "say"),
    [
        ([], "curl -F audio_file=@recording.wav"),
        ([("audio_file", "text")], "one with a file name"),
        ([("audio_file", (io.BytesIO(b""), "a.wav"))], "The file is empty."),
        ([("audio_file", (io.BytesIO(b"a"), "a")), ("audio_file", (io.BytesIO(b"b"), "b"))], "more than once"),
    ],
    ids=["none", "text", "empty", "two"],
)
def test_one_recording_is_required_and_told_as_text(
    web: Flask, path: str, form: list[tuple[str, Any]], say: str
) -> None:
    fresh = [(name, (io.BytesIO(v[0].getvalue()), v[1]) if isinstance(v, tuple) else v) for name, v in form]
    answer = web.test_client().post(path, data=MultiDict(fresh), content_type="multipart/form-data")
    assert say in told(answer, 400, "bad_request")
    assert_nothing_stored(web)


def test_a_part_without_file_name_is_explained(web: Flask, path: str) -> None:
    body = part("audio_file", b"sound") + CRLF.join([b"--x--", b""])
    answer = web.test_client().post(path, data=body, content_type="multipart/form-data; boundary=x")
    assert "one with a file name" in told(answer, 400, "bad_request")
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "content_type", ["application/json", "audio/wav", "multipart/form-data", "multipart/form-data; boundary=y"]
)
@pytest.mark.parametrize("body", [b"{" * 50_000, b"RIFF" * 100])
def test_other_bodies_are_400(web: Flask, path: str, content_type: str, body: bytes) -> None:
    told(web.test_client().post(path, data=body, content_type=content_type), 400, "bad_request")
    assert_nothing_stored(web)


def test_a_recording_that_is_too_large_is_413(make_web: MakeWeb, path: str) -> None:
    web = make_web(limits={"max_upload_mb": 1})
    told(send(web, path, b"x" * (2 * 2**20 + 1)), 413, "request_entity_too_large")
    assert_nothing_stored(web)


def test_a_full_queue_is_429(make_web: MakeWeb, path: str) -> None:
    web = make_web(limits={"max_queued": 0})
    answer = send(web, path)
    told(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
    assert_nothing_stored(web)


def test_too_many_waiting_clients_are_429_before_the_body_is_read(
    make_web: MakeWeb, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = make_web(server={"threads": 4})
    budget = web.extensions["speech.waiters"]
    assert budget.take()
    monkeypatch.setattr("app.submission.uploads.Part", lambda folder: pytest.fail("the body was read"))
    answer = send(web, path)
    told(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
    budget.give_back()


def test_a_thread_for_waiting_is_given_back(make_web: MakeWeb, path: str) -> None:
    web = make_web(server={"threads": 4})
    for _ in range(3):
        told(send(web, path, b""), 400, "bad_request")


def test_a_full_disk_is_507(make_web: MakeWeb, path: str) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    told(send(web, path), 507, "insufficient_storage")
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((code, 400) for code in ("invalid_media", "unsupported_media", "no_audio", "invalid_parameters")),
        *(("unsupported_language", 400), ("too_long", 413), ("insufficient_storage", 507), ("worker_crashed", 500)),
        *((code, 500) for code in ("out_of_memory", "model_not_available", "timeout", "internal_error")),
    ],
)
@pytest.mark.parametrize("recorded", [BAZARR_ASR, BAZARR_DETECTION], ids=["asr", "detection"])
def test_a_failed_task_is_told_by_its_code(web: Flask, ending: Ending, recorded: bytes, code: str, status: int) -> None:
    ending(failed=(code, "There is a reason."))
    answer = replay(web, recorded)
    assert told(answer, status, code) == f"{code}: There is a reason.\n"
    assert answer.headers["X-Speech-Task"] == rows()[0].uuid


def test_a_cancelled_task_is_500(web: Flask, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("app.waiting.is_client_gone", lambda environ: not tasks.cancel(rows()[0].uuid) and False)
    assert told(send(web, path), 500, "cancelled") == "cancelled: The task was cancelled.\n"


def test_a_task_that_takes_too_long_goes_on(make_web: MakeWeb, path: str) -> None:
    web = make_web(limits={"max_wait": 0.05})
    answer = send(web, path)
    (row,) = rows()
    assert f"/task/{row.uuid}" in told(answer, 503, "timeout")
    assert int(answer.headers["Retry-After"]) > 0 and answer.headers["X-Speech-Task"] == row.uuid
    assert row.status == "QUEUED" and row.waited_at is None
