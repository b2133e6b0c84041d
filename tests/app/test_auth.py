"""API keys: every header form, 401 alike for missing, wrong and revoked keys, and what stays open."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from flask import Blueprint, Flask, Response

from app.api.docs import bundles_folder
from app.auth import warn_if_open
from app.core.db import api_keys, connection, tasks
from app.facade import Facade, HttpError, register_facade
from app.submission import accept
from tests.app.calling import Caller, make_key
from tests.app.conftest import MakeWeb
from tests.app.posting import assert_nothing_stored, kept, refused
from tests.app.rows import claimed, row

FORMS = [
    ("Authorization", "Bearer {}"),
    ("Authorization", "bearer {}"),
    ("Authorization", "BEARER   {}"),
    ("Authorization", "Token {}"),
    ("Authorization", "token {}"),
    ("Authorization", "{}"),
    ("X-API-Key", "{}"),
    ("x-api-key", "{}"),
    ("api-key", "{}"),
]
OPEN = [
    "/health/live",
    "/docs",
    "/docs/",
    "/redoc",
    "/openapi.json",
    "/openapi.json/",
    f"/docs/assets/{next(path.name for path in bundles_folder().glob('*.css'))}",
    "/",
]


@pytest.mark.parametrize(("header", "form"), FORMS)
def test_each_form_of_the_header_is_accepted(web: Flask, header: str, form: str) -> None:
    key, client = make_key(), web.test_client()
    assert client.get("/task", headers={header: form.format(key)}).status_code == 200
    assert client.get("/task", headers={header: form.format(key + "x")}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "ä\u00ff"},
        {"api-key": "x" * 5000},
    ],
)
def test_missing_and_wrong_keys_are_answered_alike(web: Flask, headers: dict[str, str]) -> None:
    make_key()
    first = web.test_client().get("/task")
    answer = web.test_client().get("/task", headers=headers)
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (answer.data, list(answer.headers)) == (first.data, list(first.headers))


def test_one_valid_key_among_several_headers_is_enough(web: Flask) -> None:
    key, client = make_key(), web.test_client()
    assert client.get("/task", headers={"Authorization": "Basic YTpi", "X-API-Key": key}).status_code == 200
    assert client.get("/task", headers={"Authorization": f"Bearer {key}", "api-key": "old"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/task"),
        ("GET", "/task/x"),
        ("GET", "/task/x/events"),
        ("GET", "/task/x/result"),
        ("GET", "/task/file/x"),
        ("POST", "/transcription"),
        ("POST", "/vad"),
        ("POST", "/task/x/cancel"),
        ("DELETE", "/task/x"),
        ("GET", "/models"),
        ("GET", "/metrics"),
        ("GET", "/nope"),
        ("PUT", "/task"),
        ("OPTIONS", "/task"),
    ],
)
def test_without_a_key_nothing_but_401_is_answered(web: Flask, method: str, path: str) -> None:
    make_key()
    assert web.test_client().open(path, method=method).status_code == 401


@pytest.mark.parametrize("path", OPEN)
def test_health_and_documentation_need_no_key(web: Flask, path: str) -> None:
    make_key()
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert web.test_client().get(path, headers=headers).status_code in (200, 302), path
    assert web.test_client().get("/health/ready").status_code == 503, "no worker, but no 401 either"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer any"}, {"X-API-Key": "any"}])
def test_without_keys_anything_is_accepted(web: Flask, headers: dict[str, str]) -> None:
    answer = web.test_client().get("/task", headers=headers)
    assert answer.status_code == 200
    assert web.test_client().get("/metrics", headers=headers).status_code == 200


def test_keys_stay_required_when_all_are_revoked(anywhere: Flask) -> None:
    key = make_key()
    assert api_keys.revoke("alice")
    for caller in (Caller(anywhere, None), Caller(anywhere, key)):
        assert caller.get("/task").status_code == 401


def test_key_is_refused_before_the_body_is_read(web: Flask) -> None:
    make_key()
    read: list[int] = []

    class Body(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            read.append(size or 0)
            return super().read(size)

    answer = web.test_client().post(
        "/transcription",
        input_stream=Body(b"x" * 100_000),
        content_type="multipart/form-data; boundary=x",
    )
    refused(answer, 401)
    assert read == []
    assert_nothing_stored(web)


def test_key_revoked_in_the_middle_of_an_upload_makes_no_task(anywhere: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(anywhere, make_key())
    digest = accept.uploads.read_digest

    def revoke(upload: Any) -> str:
        api_keys.revoke("alice")
        return digest(upload)

    monkeypatch.setattr(accept.uploads, "read_digest", revoke)
    answer = caller.post()
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert_nothing_stored(anywhere)


def test_key_revoked_while_a_retry_uploads_does_not_get_the_earlier_task(
    web: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(web, make_key())
    identifier = caller.submit(**{"Idempotency-Key": "k"})
    read_upload = accept.uploads.read_upload

    def revoke(request: Any) -> Any:
        api_keys.revoke("alice")
        return read_upload(request)

    monkeypatch.setattr(accept.uploads, "read_upload", revoke)
    refused(caller.post(**{"Idempotency-Key": "k"}), 401)
    assert kept(web) == sorted([identifier, f"{identifier}/source"])


def test_revoked_key_gets_401_at_once_and_its_task_ends_normally(web: Flask) -> None:
    caller = Caller(web, make_key())
    identifier = caller.submit()
    claim = claimed()
    assert api_keys.revoke("alice")
    assert caller.get(f"/task/{identifier}").status_code == 401
    assert tasks.report(claim, "transcribe", 0.5)
    assert tasks.complete(claim, "json", "[]", [], 1.0)
    assert caller.get(f"/task/{identifier}").status_code == 401
    assert row(identifier).status == "COMPLETED"


def test_waiting_client_gets_401_when_its_key_is_revoked(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.waiting.CONFIRM_SECONDS", 0.0)
    caller = Caller(web, make_key())
    identifier = caller.submit()
    monkeypatch.setattr(api_keys, "is_valid", lambda key: False)
    answer = caller.get(f"/task/{identifier}?wait=30")
    refused(answer, 401)
    assert row(identifier).status == "QUEUED"


def test_events_end_when_the_key_is_revoked(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.events.CONFIRM_SECONDS", 0.0)
    caller = Caller(web, make_key())
    identifier = caller.submit()
    answer = caller.get(f"/task/{identifier}/events", buffered=False)
    assert answer.status_code == 200
    api_keys.revoke("alice")
    assert "event: stage" in answer.text or "event: progress" in answer.text


def test_errors_of_other_contracts_have_their_own_shape(web: Flask) -> None:
    def render(error: HttpError) -> Response:
        return Response(f"theirs: {error.message}", error.status, error.headers, mimetype="text/plain")

    blueprint = Blueprint("theirs", __name__)
    blueprint.add_url_rule("/theirs", view_func=lambda: "ok", methods=["POST"])
    register_facade(web, Facade("theirs", lambda path: path.startswith("/theirs"), render, dict, blueprint))
    key = make_key(requests_per_minute=1)
    for path in ("/theirs", "/theirs/unknown"):
        answer = web.test_client().post(path)
        assert (answer.status_code, answer.mimetype) == (401, "text/plain")
        assert answer.text == "theirs: A valid API key is needed."
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert Caller(web, key).open("/theirs", "POST").text == "ok"
    limited = Caller(web, key).open("/theirs", "POST")
    assert limited.status_code == 429 and limited.text.startswith("theirs: ") and limited.headers["Retry-After"] == "60"


def test_metrics_need_an_admin_key(web: Flask) -> None:
    usual, admin = make_key(), make_key("root", is_admin=True)
    assert Caller(web, None).get("/metrics").status_code == 401
    refused(Caller(web, usual).get("/metrics"), 403)
    assert Caller(web, admin).get("/metrics").status_code == 200


def test_metrics_can_be_opened(make_web: MakeWeb) -> None:
    web = make_web(metrics={"open": True})
    make_key()
    assert Caller(web, None).get("/metrics").status_code == 200
    assert Caller(web, "wrong").get("/metrics").status_code == 200
    assert Caller(web, None).get("/task").status_code == 401


def test_open_service_is_named_in_the_log_once_per_start(web: Flask, caplog: pytest.LogCaptureFixture) -> None:
    connection.database.close()
    with caplog.at_level(logging.WARNING):
        warn_if_open()
    assert ["no API keys" in record.message for record in caplog.records] == [True]
    caplog.clear()
    make_key()
    connection.database.close()
    warn_if_open()
    assert caplog.records == []


def test_document_has_the_schemes_and_says_whether_a_key_is_needed(web: Flask) -> None:
    client = web.test_client()
    document = client.get("/openapi.json").get_json()
    schemes = document["components"]["securitySchemes"]
    assert {(each["type"], each.get("scheme", each.get("name"))) for each in schemes.values()} == {
        ("http", "bearer"),
        ("apiKey", "X-API-Key"),
    }
    assert {} in document["security"]
    make_key()
    document = client.get("/openapi.json").get_json()
    assert document["security"] == [{name: []} for name in schemes]
    paths = document["paths"]
    assert paths["/health/live"]["get"]["security"] == [] and "security" not in paths["/task"]["get"]
    example = paths["/task"]["get"]["responses"]["401"]["content"]["application/json"]["example"]
    assert example == client.get("/task").get_json()
