"""Each error has OpenAI's shape, status and headers, so that its SDKs repeat only what may succeed."""

from __future__ import annotations

import io
import time
from typing import Any
from urllib.parse import quote

import peewee
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import tasks
from tests.app.api.openai.running import SPOKEN, TRANSCRIPTIONS, ask, completes, fails, working
from tests.app.conftest import MakeWeb
from tests.app.posting import RECORDING, assert_nothing_stored, kept, rows


def error_of(answer: TestResponse, status: int, kind: str, code: str) -> dict[str, Any]:
    """Check the shape of an error."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert list(body) == ["error"] and list(body["error"]) == ["message", "type", "param", "code"]
    assert (body["error"]["type"], body["error"]["code"]) == (kind, code)
    assert isinstance(body["error"]["message"], str) and body["error"]["message"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/chat/completions", "/v1/audio", "/audio/speech", "/openai/x", "/v1/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_row_25_unknown_path_has_the_shape_of_openai(web: Flask, path: str, method: str) -> None:
    error = error_of(web.test_client().open(path, method=method), 404, "invalid_request_error", "not_found")
    assert "/v1/audio/transcriptions" in error["message"]


@pytest.mark.parametrize("path", ["/models", "/task/x", "/openapi/none.json", "/v1x"])
def test_paths_of_others_keep_their_own_shape(web: Flask, path: str) -> None:
    assert "error" not in web.test_client().delete(path).get_json()


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/v1/audio/transcriptions/audio/transcriptions", "http://localhost/v1"),
        ("/v1/audio/transcriptions/v1/audio/transcriptions", "http://localhost/v1"),
        ("/audio/translations/models", "http://localhost/v1"),
        ("/v1/v1/audio/transcriptions", "http://localhost/v1"),
    ],
)
def test_row_28_full_path_as_base_url_is_explained(web: Flask, path: str, base: str) -> None:
    error = error_of(web.test_client().post(path), 404, "invalid_request_error", "not_found")
    assert f"Set the base URL to {base}." in error["message"]


def test_wrong_method_has_the_shape_of_openai(web: Flask) -> None:
    answer = web.test_client().get(TRANSCRIPTIONS)
    error_of(answer, 405, "invalid_request_error", "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    error_of(web.test_client().delete("/v1/models/mini"), 405, "invalid_request_error", "method_not_allowed")


def test_body_that_is_no_form_is_refused(idle: Flask) -> None:
    client = idle.test_client()
    error_of(client.post(TRANSCRIPTIONS, json={"a": 1}), 415, "invalid_request_error", "unsupported_media_type")
    answer = client.post(TRANSCRIPTIONS, data=b"abc", content_type="multipart/form-data")
    assert "boundary" in error_of(answer, 400, "invalid_request_error", "invalid_value")["message"]
    answer = client.post(TRANSCRIPTIONS, data=b"--x\r\nabc", content_type="multipart/form-data; boundary=y")
    error_of(answer, 400, "invalid_request_error", "invalid_value")
    assert_nothing_stored(idle)


def test_row_22_large_upload_is_413_as_json(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_upload_mb": 1})
    with working(web, None):
        error = error_of(
            ask(web, file=(io.BytesIO(b"x" * 14 * 2**20), "a.wav")), 413, "invalid_request_error", "too_large"
        )
    assert "too large" in error["message"]
    assert_nothing_stored(web)


def test_full_queue_is_429_with_the_seconds_to_wait(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 0})
    answer = ask(web)
    error_of(answer, 429, "rate_limit_error", "rate_limit_exceeded")
    assert 0 < int(answer.headers["Retry-After"]) <= 120 and "x-should-retry" not in answer.headers
    assert_nothing_stored(web)


def test_row_23_waiters_above_the_share_are_429(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 4})
    budget = web.extensions["speech.waiters"]
    assert budget.take()
    with working(web, completes(SPOKEN)):
        answer = ask(web)
        error_of(answer, 429, "rate_limit_error", "rate_limit_exceeded")
        assert int(answer.headers["Retry-After"]) > 0
        budget.give_back()
        assert [ask(web).status_code for _ in range(3)] == [200, 200, 200]


def test_no_worker_is_503_before_the_upload_is_stored(web: Flask) -> None:
    answer = ask(web)
    error_of(answer, 503, "server_error", "unavailable")
    assert (answer.headers["x-should-retry"], int(answer.headers["Retry-After"]) > 0) == ("true", True)
    assert_nothing_stored(web)


def test_failing_database_is_503_for_openai(speech: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any, **columns: Any) -> Any:
        raise peewee.OperationalError("password=secret")

    monkeypatch.setattr(tasks, "count_queued", failing)
    answer = ask(speech)
    assert "secret" not in error_of(answer, 503, "server_error", "unavailable")["message"]
    assert answer.headers["x-should-retry"] == "true"


def test_unexpected_error_is_500_that_is_not_repeated(speech: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **columns: Any) -> Any:
        raise RuntimeError("a secret of the code")

    speech.testing = False
    monkeypatch.setattr(tasks, "count_queued", broken)
    answer = ask(speech)
    assert "secret" not in error_of(answer, 500, "server_error", "internal_error")["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert kept(speech) == []


def test_full_disk_is_507_that_is_not_repeated(make_web: MakeWeb) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    with working(web, None):
        answer = ask(web)
    error_of(answer, 507, "server_error", "insufficient_storage")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("code", "status", "param"),
    [
        ("invalid_media", 400, "file"),
        ("unsupported_media", 400, "file"),
        ("no_audio", 400, "file"),
        ("too_long", 413, "file"),
        ("unsupported_language", 400, "language"),
        ("invalid_parameters", 400, None),
    ],
)
def test_recording_that_cannot_be_read_is_the_clients_error(
    web: Flask, code: str, status: int, param: str | None
) -> None:
    with working(web, fails(code, "It is broken.")):
        answer = ask(web)
    error = error_of(answer, status, "invalid_request_error", code)
    assert (error["message"], error["param"]) == ("It is broken.", param)
    assert answer.headers["X-Speech-Task"] == answer.headers["x-request-id"] == rows()[0].uuid
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize(
    "code", ["out_of_memory", "worker_crashed", "internal_error", "timeout", "model_not_available"]
)
def test_row_26_permanent_failure_is_not_repeated(web: Flask, code: str) -> None:
    with working(web, fails(code, "It does not work.")):
        answer = ask(web)
    error_of(answer, 500, "server_error", code)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("end", [tasks.cancel, tasks.delete])
def test_cancelled_task_is_not_repeated(web: Flask, end: Any) -> None:
    with working(web, lambda claim: end(claim.uuid) and None):
        answer = ask(web)
    error_of(answer, 500, "server_error", "cancelled")
    assert answer.headers["x-should-retry"] == "false"


def test_row_15_end_of_the_wait_is_408_and_the_retry_gets_the_result(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_wait": 1.0})
    with working(web, None):
        answer = ask(web)
    error = error_of(answer, 408, "server_error", "timeout")
    (row,) = rows()
    assert f"/task/{row.uuid}" in error["message"] and answer.headers["X-Speech-Task"] == row.uuid
    assert int(answer.headers["Retry-After"]) > 0 and row.waited_at is None, "the task is kept"
    with working(web, completes(SPOKEN)):
        again = ask(web, headers={"x-stainless-retry-count": "1"})
    assert (again.status_code, again.headers["X-Speech-Task"]) == (200, row.uuid)
    assert len(rows()) == 1


@pytest.mark.parametrize(
    ("limit", "least", "most"), [("1", 0.5, 1.0), ("-1", 1.9, 3.0), ("soon", 1.9, 3.0), ("inf", 1.9, 3.0)]
)
def test_row_14_answer_comes_before_the_time_limit_of_the_client(
    make_web: MakeWeb, limit: str, least: float, most: float
) -> None:
    web = make_web(limits={"max_wait": 2.0})
    with working(web, None):
        begun = time.monotonic()
        answer = ask(web, headers={"x-stainless-read-timeout": limit})
    assert answer.status_code == 408 and least <= time.monotonic() - begun < most


def test_row_27_any_key_is_accepted_while_there_are_none(speech: Flask) -> None:
    for headers in ({"Authorization": "Bearer sk-x"}, {"api-key": "x"}, {}):
        assert ask(speech, headers=headers).status_code == 200


def test_whisper_cpp_gets_errors_as_text(web: Flask) -> None:
    with working(web, fails("invalid_media", "It is broken.")):
        assert ask(web, "/inference").get_json() == {"error": "It is broken."}


@pytest.mark.parametrize(
    "path", ["/audio/transcriptions", "/v1/audio/transcriptions/", "/openai/v1/audio/transcriptions", "/inference",
             "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01",
             "/openai/deployments/my-whisper/audio/translations"],
)  # fmt: skip
def test_every_address_of_the_contract_is_served(speech: Flask, path: str) -> None:
    answer = ask(speech, path, headers={"api-key": "x"})
    assert answer.status_code == 200 and answer.get_json()["text"].startswith("Hello")
    warnings = answer.get_json().get("warnings", [])
    assert warnings == (["There is no model for this deployment: mini was used."] if "my-whisper" in path else [])


@pytest.mark.parametrize("name", ["audio.opus", "memo.oga", "recording", "a.exe", "/../x", "upload", ""])
@pytest.mark.parametrize("kind", ["application/octet-stream", "", "text/html", '"application/octet-stream"'])
def test_row_21_name_and_type_of_a_file_do_not_matter(speech: Flask, name: str, kind: str) -> None:
    answer = ask(speech, file=(io.BytesIO(RECORDING), name or "x", kind))
    assert answer.status_code == 200


def test_refused_request_leaves_nothing_and_names_no_task(idle: Flask) -> None:
    answer = ask(idle, temperature="warm")
    assert answer.status_code == 400 and "X-Speech-Task" not in answer.headers
    assert_nothing_stored(idle)


def test_equal_requests_in_other_formats_share_a_task(speech: Flask) -> None:
    formats = ("json", "text", "srt", "vtt", "verbose_json")
    answers = [ask(speech, response_format=response_format) for response_format in formats]
    assert {answer.headers["X-Speech-Task"] for answer in answers} == {row.uuid for row in rows()}
    assert (len(rows()), rows()[0].facade) == (1, "openai")


def test_task_of_openai_is_found_under_its_native_path(speech: Flask) -> None:
    identifier = ask(speech).headers["X-Speech-Task"]
    assert speech.test_client().get(f"/task/{identifier}").get_json()["status"] == "COMPLETED"


HOSTILE = [
    "\udcff",
    "a\ud800b",
    "\0",
    "\n\x1b[31m",
    "9" * 5000,
    "1e309",
    "NaN",
    "[" * 5000,
    "😀" * 300,
    "-1",
    "{}",
    '"',
]
NAMES = "model language languages[] prompt keywords[] response_format temperature timestamp_granularities[] include[] "
NAMES += "chunking_strategy chunking_strategy[type] chunking_strategy[threshold] stream known_speaker_names[] hotwords diarize "
NAMES += "without_timestamps vad suppress_tokens[] suppress_tokens[x] hf_token uvr_model_size [] [a] x[ ]x a[b][c]"


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_value_is_never_a_server_error(speech: Flask, value: str) -> None:
    for name in NAMES.split():
        query = f"?{quote(name)}={quote(value, errors='surrogateescape' if value == HOSTILE[0] else 'surrogatepass')}"
        for path in (TRANSCRIPTIONS + query, f"{TRANSCRIPTIONS}?{quote(value, errors='surrogatepass')}=1"):
            answer = ask(speech, path)
            assert answer.status_code in (200, 400), (name, answer.text)
            assert answer.status_code == 200 or answer.get_json()["error"]["message"]
    assert speech.test_client().get(f"/v1/models/{quote(value, errors='surrogatepass')}").status_code == 404
