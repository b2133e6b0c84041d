"""Recordings by URL: a bad URL is refused at once, a good one stored; its query is never shown."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import claims
from app.submission import urls
from app.submission.parser import SubmissionBlueprint
from tests.app.conftest import MakeWeb
from tests.app.posting import REQUIRED, kept, post, refused, rows
from tests.service import promptly

URL = "https://media.example/rooms/Gespr%C3%A4ch.wav?sig=secret#t=1"


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | int]:
    """Fake the name service: each name has an address or an error number."""
    known: dict[str, str | int] = {"media.example": "93.184.216.34", "inside.example": "10.0.0.7"}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **kwargs: Any) -> Any:
        found = known.get(host, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "no such name: secret")
        return real(found, *arguments, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def submissions(web: Flask) -> list[str]:
    """The paths of every endpoint that takes a recording."""
    blueprints = [name for name, blueprint in web.blueprints.items() if isinstance(blueprint, SubmissionBlueprint)]
    return [
        rule.rule
        for rule in web.url_map.iter_rules()
        if rule.endpoint.split(".")[0] in blueprints and "<" not in rule.rule
    ]


def post_url(web: Flask, url: str = URL, query: str = "", path: str = "/transcription", **form: Any) -> TestResponse:
    data = {"file_url": url} | form
    return web.test_client().post(f"{path}{query}", data=data, content_type="multipart/form-data")


def said(answer: TestResponse) -> str:
    """The error message of a refused URL, of which nothing is stored or returned."""
    sentence: str = refused(answer, 422, "file_url")["errors"]["file_url"][0]
    assert rows() == []
    assert "secret" not in answer.text
    return sentence


def test_every_submission_takes_a_url(web: Flask) -> None:
    paths = submissions(web)
    assert "/transcription" in paths
    for path in paths:
        answer = post_url(web, path=path, **REQUIRED.get(path, {}))
        assert answer.status_code == 201, answer.text
        assert answer.get_json()["status"] == "QUEUED"
    assert [row.source_url for row in rows()] == [URL.partition("#")[0]] * len(paths)
    assert kept(web) == []
    assert claims.claim("device") is None


def test_url_is_accepted_once_in_query_or_form(web: Flask) -> None:
    client = web.test_client()
    assert client.post("/transcription", query_string={"file_url": URL}).status_code == 201
    assert client.post("/transcription", data={"file_url": URL, "lang": "de"}).status_code == 201
    assert post_url(web, query="?lang=de").status_code == 201
    answer = post_url(web, query="?file_url=https://media.example/")
    assert refused(answer, 422, "file_url")["errors"]["file_url"] == ["Given more than once."]


def test_empty_url_counts_as_no_url(web: Flask) -> None:
    assert post(web, file_url="").status_code == 201
    assert rows()[0].source_url is None and "file_url" not in rows()[0].params
    refused(post_url(web, ""), 422, "file")


def test_file_beside_a_url_is_refused(web: Flask) -> None:
    assert "not both" in said(post(web, file_url=URL))
    answer = post_url(web, audio=(io.BytesIO(b"a"), "a.wav"))
    assert "'file'" in refused(answer, 422, "audio")["errors"]["audio"][0]
    assert rows() == [] and kept(web) == []


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://media.example/", "concat:a|b", "http://169.254.169.254/latest/meta-data/"),
        *("http://127.1/", "http://0x7f000001/", "http://[::ffff:127.0.0.1]/", "http://100.64.0.1/?secret"),
        *("http://inside.example/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://127.0.0.1:8000/"),
    ],
)
@pytest.mark.parametrize("place", ["query", "form"])
def test_url_of_a_private_address_is_blocked(web: Flask, url: str, place: str) -> None:
    if place == "form":
        assert said(post_url(web, url)).startswith("blocked_address: ")
    else:
        answer = web.test_client().post("/transcription", query_string={"file_url": url})
        assert said(answer).startswith("blocked_address: ")


def test_allowed_private_address_is_accepted(make_web: MakeWeb) -> None:
    web = make_web(fetch={"allow": ("10.0.0.0/24",)})
    assert post_url(web, "http://inside.example/a.wav").status_code == 201
    refused(post_url(web, "http://10.0.1.1/"), 422, "file_url")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://me:secret@media.example/", "user name or password"),
        ("https://secret@media.example/", "user name or password"),
        ("https:///secret", "host"),
        ("https://media.example/\0secret", "control"),
        ("https://media.example/\ud800", "control"),
        ("https://media.example/" + "secret" * 2000, "longer"),
        ("https://missing.example/?secret", "missing.example cannot be resolved"),
    ],
)
def test_refused_url_is_not_repeated_in_the_error(web: Flask, url: str, says: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file_url"\r\n\r\n' + url.encode("utf-8", "surrogatepass")
    answer = web.test_client().post(
        "/transcription", data=part + b"\r\n--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
    assert says in said(answer)


def test_server_with_downloads_disabled_refuses_urls(make_web: MakeWeb) -> None:
    assert "upload the file" in said(post_url(make_web(fetch={"enabled": False})))


def test_unavailable_name_service_does_not_refuse_the_task(web: Flask, names: dict[str, str | int]) -> None:
    names["media.example"] = socket.EAI_AGAIN
    assert post_url(web).status_code == 201


def test_hanging_name_service_blocks_no_web_thread(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **kwargs: answers.wait(60) and [])
    monkeypatch.setattr(urls, "LOOKUP_SECONDS", 0.1)
    try:
        began = time.monotonic()
        for _ in range(12):  # more than the limit of concurrent lookups
            assert post_url(web).status_code == 201
        assert time.monotonic() - began < promptly(30)
        assert sum(thread.name == "look up" for thread in threading.enumerate()) <= 8
        refused(post_url(web, "http://127.0.0.1/"), 422, "file_url")  # needs no name service
    finally:
        answers.set()


def test_unexpected_lookup_error_does_not_admit_the_url(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    with pytest.raises(RuntimeError):
        post_url(web)
    assert rows() == []


def test_full_queue_and_full_disk_refuse_a_url_too(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 1})
    assert post_url(web).status_code == 201
    refused(post_url(web), 429)
    refused(post_url(make_web(limits={"min_free_mb": 10**9})), 507)
    assert len(rows()) == 1


def test_task_shows_the_url_without_its_query(web: Flask) -> None:
    answer = post_url(web)
    shown = web.test_client().get(answer.headers["Location"]).get_json()
    assert shown["task_params"]["file_url"] == "https://media.example/rooms/Gespr%C3%A4ch.wav"
    assert shown["task_params"]["beam_size"] == 5
    assert rows()[0].file_name == "Gespräch.wav"


@pytest.mark.parametrize("place", ["query", "form"])
def test_query_of_a_url_is_not_returned_or_logged(
    web: Flask, place: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    client = web.test_client()
    answers = []
    for url in (URL, "https://me:secret@media.example/", "http://10.0.0.1/?secret", "https://missing.example/?secret"):
        given = {"query_string" if place == "query" else "data": {"file_url": url}}
        answers.append(client.post("/transcription", **given))
    assert [answer.status_code for answer in answers] == [201, 422, 422, 422]
    shown = client.get(answers[0].headers["Location"])
    (row,) = rows()
    assert "secret" in row.source_url and "secret" not in row.params + row.file_name + row.warnings
    everything = [
        *(answer.text + str(answer.headers) for answer in answers),
        shown.text,
        caplog.text,
        *capfd.readouterr(),
    ]
    assert "secret" not in "".join(everything)
    assert "file_url" not in row.warnings
