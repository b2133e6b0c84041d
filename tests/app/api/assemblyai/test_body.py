"""Any body gets an answer: 400 or 413 in AssemblyAI's shape, and nothing is stored."""

from __future__ import annotations

import gzip
import json

import pytest
from flask import Flask

from tests.app.api.assemblyai.speaking import URL, refused
from tests.app.posting import assert_nothing_stored

HEAD = '{"audio_url": "https://93.184.215.14/a.wav", "prompt": '


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"7", b"null", b'"a"', b"\xff\xfe{}", b"{}", b"audio_url=https://a.de/", b"{'a': 1}"),
        *(
            (HEAD + value + "}").encode()
            for value in ("NaN", "-Infinity", "1e999", "9" * 5000, '"\\ud800"', '"\\u0000"')
        ),
        (HEAD + '"a", "prompt": "b"}').encode(),
        b'{"a":' * 50_000,
        b"[" * 100_000,
        b'{"audio_url": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        json.dumps({"audio_url": URL}).encode("utf-16"),
    ],
    ids=lambda body: repr(body[:60]),
)
def test_unreadable_body_is_refused(web: Flask, body: bytes) -> None:
    refused(web.test_client().post("/v2/transcript", data=body, content_type="application/json"))
    assert_nothing_stored(web)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_large_body_is_refused(web: Flask, kind: str) -> None:
    body = json.dumps({"audio_url": URL, "x": "y" * 1_100_000})
    refused(web.test_client().post("/v2/transcript", data=body, content_type=kind), 413)
    assert_nothing_stored(web)


def test_body_of_another_type_is_read_as_json(web: Flask) -> None:
    body = "\ufeff" + json.dumps({"audio_url": URL})
    assert web.test_client().post("/v2/transcript", data=body.encode(), content_type="text/plain").status_code == 200


def test_compressed_body_is_refused(web: Flask) -> None:
    body = gzip.compress(json.dumps({"audio_url": URL}).encode())
    answer = web.test_client().post("/v2/transcript", data=body, headers={"Content-Encoding": "gzip"})
    refused(answer, 415)


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/", "/v2/nothing", "/v2/transcript/x/y/z", "/v2/transcript/none", "/v2/upload/x"]
)
def test_unknown_path_is_answered_in_their_shape(web: Flask, path: str) -> None:
    refused(web.test_client().get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v2/upload"), ("PUT", "/v2/transcript"), ("POST", "/v2/transcript/x")]
)
def test_wrong_method_is_answered_in_their_shape(web: Flask, method: str, path: str) -> None:
    answer = web.test_client().open(path, method=method)
    refused(answer, 405)
    assert answer.headers["Allow"]
