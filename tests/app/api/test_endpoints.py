"""Every endpoint that takes recordings accepts and refuses them alike, with its own parameters."""

from __future__ import annotations

import importlib
import io
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from app.core.db import connection
from app.core.db.states import TASK_TYPES
from app.current import get_settings
from app.factory import create_app
from app.submission.parser import OPTIONS
from tests.app.conftest import MakeWeb
from tests.app.posting import CRLF, ENDPOINTS, RECORDING, REQUIRED, assert_nothing_stored, kept, post, refused, rows
from tests.service import ROOT

MEBIBYTE = 2**20
NAMES = ("../../etc/x", "-i.wav", "subfile,,start,0,end,,:x", "x" * 4096, "\u202egpj.wav", "a%0D%0AX-Evil: 1")


@pytest.fixture(params=ENDPOINTS)
def path(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def small(make_web: MakeWeb) -> Flask:
    """An app that takes recordings of up to 1 MiB, and queues one task."""
    return make_web(limits={"max_upload_mb": 1, "max_queued": 1})


def kind_of(path: str) -> str:
    name = path.removeprefix("/")
    return name if name in TASK_TYPES else name.replace("-", "_")


def parameters(web: Flask, path: str) -> list[dict[str, Any]]:
    """The endpoint's parameters in the OpenAPI document."""
    described: list[dict[str, Any]] = (
        web.test_client().get("/openapi.json").get_json()["paths"][path]["post"]["parameters"]
    )
    return described


def test_each_kind_of_task_has_its_endpoint_schema_and_pipeline() -> None:
    kinds = {kind.replace("-", "_") for kind in TASK_TYPES}
    assert kinds == {kind_of(path).replace("-", "_") for path in ENDPOINTS}
    assert {file.stem for file in (ROOT / "workers" / "pipelines").glob("[!_]*.py")} == kinds
    for kind in kinds:
        for module in (f"app.api.{kind}", f"app.schemas.{kind}"):
            importlib.import_module(module)


@pytest.mark.parametrize("slash", ["", "/"])
def test_upload_is_stored_and_answered_with_its_task(web: Flask, path: str, slash: str) -> None:
    answer = post(web, path=path + slash)
    assert answer.status_code == 201 and answer.history == ()
    identifier = answer.get_json()["identifier"]
    name = kind_of(path).replace("-", " ").replace("_", " ").capitalize()
    assert answer.get_json() == {
        "identifier": identifier,
        "status": "QUEUED",
        "message": f"{name} task has queued",
    }
    assert answer.headers["Location"] == f"/task/{identifier}"
    (row,) = rows()
    assert (row.uuid, row.status, row.task_type, row.file_name) == (identifier, "QUEUED", kind_of(path), "a.wav")
    assert kept(web) == [identifier, f"{identifier}/source"]
    shown = web.test_client().get(f"/task/{identifier}").get_json()
    assert shown["task_type"] == kind_of(path)


def test_row_holds_the_endpoints_own_parameters_and_no_others(web: Flask, path: str) -> None:
    assert post(web, path=path).status_code == 201
    names = {described["name"] for described in parameters(web, path)}
    assert set(json.loads(rows()[0].params)) == names - {"hf_token"} - OPTIONS
    assert json.loads(rows()[0].warnings) == []


@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize("name", ["nonsense", "Threshold", "threshold[]", "\0", "", "result"])
def test_unknown_parameter_is_refused_by_name(web: Flask, path: str, name: str, place: str) -> None:
    query, form = (f"?{quote(name)}=1", {}) if place == "query" else ("", {name: "1"})
    refused(post(web, query, path=path, **form), 422, name)
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "path", ["/vad", "/bgm-separation", "/detect-language"]
)  # /transcription takes the parameters of both
def test_parameters_of_another_endpoint_are_refused(web: Flask, path: str) -> None:
    own = {described["name"] for described in parameters(web, path)}
    others = {described["name"] for other in ENDPOINTS for described in parameters(web, other)} - own
    assert others
    for name in others:
        refused(post(web, f"?{name}=1", path=path), 422, name)
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "1e309",
        "-inf",
        "9" * 5000,
        "%ED%A0%80",
        "%FF",
        "a%00b",
        "[" * 50_000,
        "{}",
        "1_0",
        "%D9%A3",
    ],
    ids=lambda value: value[:12],
)
def test_numbers_must_be_plain_and_finite(web: Flask, path: str, value: str) -> None:
    numbers = [described for described in parameters(web, path) if described["schema"]["type"] in ("number", "integer")]
    assert numbers
    for described in numbers:
        refused(post(web, f"?{described['name']}={value}", path=path), 422, described["name"])
    assert_nothing_stored(web)


def test_fractions_and_second_values_are_refused(web: Flask, path: str) -> None:
    for described in parameters(web, path):
        name = described["name"]
        if described["schema"].get("type") == "integer":
            for value in ("1.9", str(2**64)):
                refused(post(web, f"?{name}={value}", path=path), 422, name)
        if name != "suppress_tokens":
            refused(post(web, f"?{name}=1&{name}=1", path=path), 422, name)
        refused(post(web, f"?{name}=1", path=path, **{name: "1"}), 422, name)
    assert_nothing_stored(web)


def test_documented_bounds_are_enforced(web: Flask, path: str) -> None:
    beyond = [
        (described["name"], described["schema"][bound] + step)
        for described in parameters(web, path)
        for bound, step in (("minimum", -1), ("maximum", 1))
        if bound in described["schema"]
    ]
    assert beyond, "no parameter has bounds"
    for name, value in beyond:
        refused(post(web, f"?{name}={value}", path=path), 422, name)
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("file", "text")],
        [("file", (io.BytesIO(b""), "a.wav"))],
        [("file", (io.BytesIO(b"a"), "a")), ("file", (io.BytesIO(b"b"), "b"))],
    ],
    ids=["none", "text", "empty", "two"],
)
def test_exactly_one_recording_is_required(web: Flask, path: str, form: list[tuple[str, Any]]) -> None:
    needed = REQUIRED.get(path, {}).items()
    given = [*needed, *form]
    fresh = [(name, (io.BytesIO(v[0].getvalue()), v[1]) if isinstance(v, tuple) else v) for name, v in given]
    answer = web.test_client().post(path, data=MultiDict(fresh), content_type="multipart/form-data")
    refused(answer, 422, "file")
    assert_nothing_stored(web)


def test_file_and_url_together_are_refused(web: Flask, path: str) -> None:
    refused(post(web, path=path, file_url="https://example.org/a.wav"), 422, "file_url")
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=y"]
)
@pytest.mark.parametrize("body", [b"", b"{" * 50_000, b'{"file": 1}', RECORDING])
def test_broken_body_is_a_client_error(web: Flask, path: str, content_type: str, body: bytes) -> None:
    answer = web.test_client().post(path, data=body, content_type=content_type)
    assert 400 <= answer.status_code < 500, answer.text
    refused(answer, answer.status_code, *answer.get_json().get("errors", {}))
    assert_nothing_stored(web)


def test_thousands_of_parts_are_refused(web: Flask, path: str) -> None:
    lines = [b"--x", b'Content-Disposition: form-data; name="threshold"', b"", b"1"] * 10_000
    answer = web.test_client().post(
        path, data=CRLF.join([*lines, b"--x--", b""]), content_type="multipart/form-data; boundary=x"
    )
    refused(answer, 413)
    assert_nothing_stored(web)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_file_name_is_never_part_of_a_path(web: Flask, path: str, name: str) -> None:
    answer = post(web, path=path, name=name)
    assert answer.status_code == 201 and set(answer.headers.keys()) == {"Content-Type", "Content-Length", "Location"}
    identifier = answer.get_json()["identifier"]
    assert kept(web) == [identifier, f"{identifier}/source"]


def test_too_large_upload_is_413(small: Flask, path: str) -> None:
    refused(post(small, path=path, recording=b"x" * (2 * MEBIBYTE + 1)), 413)
    assert_nothing_stored(small)


def test_full_queue_is_429_with_retry_after(small: Flask, path: str) -> None:
    assert post(small, path=path).status_code == 201
    answer = post(small, path=path)
    refused(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    assert len(rows()) == 1


def test_full_disk_is_507(make_web: MakeWeb, path: str) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    refused(post(web, path=path), 507)
    assert_nothing_stored(web)


def test_locked_database_is_503(web: Flask, path: str) -> None:
    web = create_app(get_settings(web), patience=0.2)
    file = Path(get_settings(web).db_url.removeprefix("sqlite:///"))
    connection.database.close()
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        answer = post(web, path=path)
        holder.execute("ROLLBACK")
    refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    holder.close()
