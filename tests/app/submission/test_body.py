"""Bodies that are no readable form are refused before they are read, with what to send instead."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask

from tests.app.posting import RECORDING, assert_nothing_stored, part, post_body, refused, rows

FORM = part("file", RECORDING, b"a.wav") + b"--x--\r\n"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity"])
def test_compressed_body_is_415_and_names_its_encoding(web: Flask, encoding: str) -> None:
    answer = post_body(web, gzip.compress(FORM), headers={"Content-Encoding": encoding})
    assert f"Content-Encoding: {encoding.lower()}" in refused(answer, 415)["message"]
    assert answer.headers["Accept-Encoding"] == "identity"
    assert_nothing_stored(web)


def test_identity_encoding_is_accepted(web: Flask) -> None:
    assert post_body(web, FORM, headers={"Content-Encoding": "identity"}).status_code == 201
    assert len(rows()) == 1


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ("application/json", "JSON"),
        ("application/vnd.api+json", "JSON"),
        ("audio/wav", "audio/wav"),
        ("application/octet-stream", "application/octet-stream"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("multipart/mixed; boundary=x", "multipart/mixed"),
        ("", "of unknown type"),
    ],
)
def test_body_that_is_no_form_is_415_with_what_to_send(web: Flask, content_type: str, named: str) -> None:
    for more in ({}, {"query_string": "file_url=https://example.org/a.wav"}):
        say = refused(post_body(web, b'{"file_url": "https://example.org/a.wav"}', content_type, **more), 415)[
            "message"
        ]
        assert f"The body is {named}" in say and "multipart/form-data" in say and "-F file=@" in say
    assert_nothing_stored(web)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; charset=utf-8"])
def test_missing_boundary_is_400_and_says_who_sets_it(web: Flask, content_type: str) -> None:
    say = refused(post_body(web, FORM, content_type), 400)["message"]
    assert "no boundary" in say and "HTTP client" in say
    assert_nothing_stored(web)


def test_other_boundary_than_announced_is_named(web: Flask) -> None:
    assert "boundary" in refused(post_body(web, FORM, "multipart/form-data; boundary=y"), 400)["message"]


def test_empty_body_of_any_type_is_no_body(web: Flask) -> None:
    refused(post_body(web, b"", "application/json"), 422, "file")


def test_form_part_without_a_name_is_refused(web: Flask) -> None:
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n" + FORM
    refused(post_body(web, body), 422, "")


def test_empty_file_field_beside_a_url_is_ignored(web: Flask) -> None:
    body = part("file", b"") + part("file_url", b" https://93.184.215.14/a.wav\r\n") + b"--x--\r\n"
    assert post_body(web, body).status_code == 201
    assert rows()[0].source_url == "https://93.184.215.14/a.wav"
