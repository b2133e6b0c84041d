"""An upload is stored unchanged in bounded memory; a refused one leaves nothing behind."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from app.current import get_settings
from app.submission import uploads
from tests.app.conftest import MakeWeb
from tests.app.posting import (
    CRLF,
    RECORDING,
    assert_nothing_stored,
    kept,
    part,
    post,
    post_body,
    refused,
    rows,
    submitted,
)

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 3 * MEBIBYTE + 1])
def test_upload_is_stored_unchanged(web: Flask, size: int) -> None:
    recording = os.urandom(min(size, 4096)) * (size // 4096 + 1)
    identifier = submitted(web, recording=recording[:size])
    cache = get_settings(web).cache.path
    assert kept(web) == [identifier, f"{identifier}/source"]
    assert (cache / identifier / "source").read_bytes() == recording[:size]


def test_upload_is_written_once_and_not_held_in_memory(web: Flask) -> None:
    recording = io.BytesIO(b"x" * 64 * MEBIBYTE)
    body = part("file", b"", b"a.wav")[: -len(CRLF)]
    stream = io.BytesIO(body + recording.getvalue() + CRLF + b"--x--" + CRLF)
    length = len(stream.getvalue())
    tracemalloc.start()
    try:
        answer = web.test_client().post(
            "/transcription",
            input_stream=stream,
            content_type="multipart/form-data; boundary=x",
            content_length=length,
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 201
    assert peak < 4 * MEBIBYTE


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([], uploads.NO_RECORDING),
        ([("lang", "de")], uploads.NO_RECORDING),
        ([("file", "text")], "Must be a file, not text: curl -F file=@recording.wav"),
        ([("file", (io.BytesIO(b""), "a.wav"))], "The file is empty."),
        (
            [("file", (io.BytesIO(b"a"), "a")), ("file", (io.BytesIO(b"b"), "b"))],
            uploads.SEVERAL,
        ),
    ],
)
def test_invalid_recording_field_is_refused_with_the_reason(web: Flask, form: list[tuple[str, Any]], says: str) -> None:
    answer = web.test_client().post("/transcription", data=MultiDict(form), content_type="multipart/form-data")
    assert refused(answer, 422, "file")["errors"]["file"] == [says]
    assert_nothing_stored(web)


def test_recording_in_another_field_is_refused_by_name(web: Flask) -> None:
    answer = web.test_client().post("/transcription", data={"audio": (io.BytesIO(b"a"), "a.wav")})
    assert "'file'" in refused(answer, 422, "audio")["errors"]["audio"][0]
    refused(post(web, audio=(io.BytesIO(b"a"), "a.wav")), 422, "audio")
    assert_nothing_stored(web)


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_upload_is_refused_with_and_without_content_length(make_web: MakeWeb, announced: bool) -> None:
    web = make_web(limits={"max_upload_mb": 1})
    body = part("file", b"x" * (2 * MEBIBYTE + 1), b"a.wav") + b"--x--" + CRLF
    if announced:
        answer = post_body(web, body)
    else:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = post_body(web, b"", input_stream=io.BytesIO(body), environ_overrides=environ)
    refused(answer, 413)
    assert_nothing_stored(web)


def test_upload_of_the_largest_size_is_accepted(make_web: MakeWeb) -> None:
    submitted(make_web(limits={"max_upload_mb": 1}), recording=b"x" * MEBIBYTE)


def test_upload_beyond_the_free_space_limit_is_507(make_web: MakeWeb) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    assert "disk space" in refused(post(web), 507)["message"]
    assert_nothing_stored(web)


def test_free_space_check_includes_the_upload_size(
    make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * MEBIBYTE))
    web = make_web(limits={"min_free_mb": 1})
    submitted(web, recording=b"x" * 1000)
    refused(post(web, recording=b"x" * (MEBIBYTE + 1)), 507)


@pytest.mark.parametrize("size", [10, 300_000, 3 * MEBIBYTE])
def test_disk_that_fills_up_while_writing_is_507(web: Flask, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    def full(*arguments: Any, **kwargs: Any) -> Any:
        opened = named_file(*arguments, **kwargs)
        device = os.open("/dev/full", os.O_WRONLY)  # the kernel's own ENOSPC for every byte written
        os.dup2(device, opened.fileno())
        os.close(device)
        return opened

    named_file = tempfile.NamedTemporaryFile
    monkeypatch.setattr(uploads.tempfile, "NamedTemporaryFile", full)
    refused(post(web, recording=b"x" * size), 507)
    assert_nothing_stored(web)


@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_at_any_later_step_is_507(
    web: Flask, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def full(*arguments: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    target = {"fsync": "os.fsync", "mkdir": "pathlib.Path.mkdir", "rename": "pathlib.Path.rename", "open": "os.open"}
    with monkeypatch.context() as faulty:
        keep = uploads.store_upload

        def failing(*arguments: Any) -> None:
            faulty.setattr(target[call], full)
            try:
                keep(*arguments)
            finally:
                faulty.undo()

        monkeypatch.setattr(uploads, "store_upload", failing)
        refused(post(web), 507)
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "name",
    [
        *(
            b"../../x",
            b"/etc/passwd",
            b"-i.wav",
            b"subfile,,start,0,end,0,,:x.wav",
            b"a b;c&d|e.wav",
            b".",
            b"..",
            b"~",
        ),
        *(b"x" * 10_000, "\u202egpj.wav".encode(), "ä字🎤.wav".encode(), b""),
        *(b"nul\0nul.wav", b"con.wav", b"%2e%2e%2fx", b"a%0d%0aX: y", b"<script>alert(1)</script>"),
    ],
    ids=lambda name: ascii(name)[:30],
)
def test_hostile_file_name_is_never_part_of_a_path(web: Flask, name: bytes) -> None:
    answer = post_body(web, part("file", RECORDING, name) + b"--x--" + CRLF)
    assert answer.status_code == 201, answer.text
    identifier = answer.get_json()["identifier"]
    assert kept(web) == [identifier, f"{identifier}/source"]
    label = rows()[0].file_name
    assert len(label) <= 1024 and "\0" not in label
    label.encode("utf-8")
    assert set(answer.headers.keys()) == {"Content-Type", "Content-Length", "Location"}


@pytest.mark.parametrize("name", [b"Gespr\xe4ch.wav", b"\xed\xa0\x80"])
def test_file_name_that_is_not_utf8_is_refused_with_the_reason(web: Flask, name: bytes) -> None:
    assert "UTF-8" in refused(post_body(web, part("file", RECORDING, name) + b"--x--" + CRLF), 400)["message"]
    assert_nothing_stored(web)


@pytest.mark.parametrize("name", [b"a\r\nX-Evil: 1", b"a\nb", b"a\rb"])
def test_line_break_in_a_file_name_adds_no_header(web: Flask, name: bytes) -> None:
    answer = post_body(web, part("file", RECORDING, name) + b"--x--" + CRLF)
    refused(answer, 422, "file")  # clients send it as %0D%0A, which is accepted
    assert "X-Evil" not in answer.headers
    assert_nothing_stored(web)


@pytest.mark.parametrize("kind", ["fields", "files", "same"])
def test_thousands_of_parts_of_any_kind_are_refused(web: Flask, kind: str) -> None:
    names = ["beam_size"] * 10_000 if kind == "same" else [f"n{number}" for number in range(10_000)]
    filename = b"a" if kind == "files" else None
    refused(post_body(web, b"".join(part(name, b"1", filename) for name in names) + b"--x--" + CRLF), 413)
    assert_nothing_stored(web)


def test_large_form_fields_are_refused_without_filling_memory(web: Flask) -> None:
    body = (
        b"".join(part("initial_prompt", b"x" * MEBIBYTE) for _ in range(50)) + part("file", RECORDING, b"a") + b"--x--"
    )
    refused(post_body(web, body), 413)
    assert_nothing_stored(web)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json", "text/plain", ""])
def test_body_that_is_not_multipart_is_not_read_into_memory(web: Flask, content_type: str) -> None:
    class Endless(io.RawIOBase):
        read_bytes = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.read_bytes += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    stream = Endless()
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = post_body(web, b"", content_type, environ_overrides=environ)
    assert answer.status_code in (413, 415, 422), answer.text
    assert stream.read_bytes < 4 * MEBIBYTE
    announced = post_body(web, b"a=" + b"x" * 3 * MEBIBYTE, content_type)
    assert announced.status_code in (413, 415, 422), announced.text
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", part("file", b"abc", b"a") + b"--x--"),
        ("multipart/form-data; boundary=", part("file", b"abc", b"a") + b"--x--"),
        ("multipart/form-data; boundary=ä", part("file", b"abc", b"a") + b"--x--"),
        ("multipart/form-data; boundary=y", part("file", b"abc", b"a") + b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("multipart/form-data; boundary=x", random.Random(0).randbytes(70_000)),
        ("multipart/form-data; boundary=x", part("file", b"x" * 200_000, b"a")[:-100_000]),
        ("multipart/form-data; boundary=x", part("file", b"abc", b"a")),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: audio/wav\r\n\r\nabc\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nnot a header\r\n\r\nabc\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a" * 2_000_000),
        ("multipart/mixed; boundary=x", part("file", b"abc", b"a") + b"--x--"),
        ("application/json", b"[" * 50_000),
        ("application/json", b'{"file": "' + b"\xff" * 100 + b'"}'),
        ("application/x-www-form-urlencoded", b"beam_size=\xff&file=%ED%A0%80"),
        ("application/x-www-form-urlencoded", b"&".join(b"n%d=1" % number for number in range(100_000))),
        ("audio/wav", RECORDING),
        ("\0", RECORDING),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_malformed_body_is_a_client_error(web: Flask, content_type: str, body: bytes) -> None:
    answer = post_body(web, body, content_type)
    assert 400 <= answer.status_code < 500, answer.text
    refused(answer, answer.status_code, *answer.get_json().get("errors", {}))
    assert_nothing_stored(web)


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 30, "0", "5"])
def test_wrong_content_length_is_a_client_error(web: Flask, length: str) -> None:
    body = part("file", RECORDING, b"a") + b"--x--" + CRLF
    answer = post_body(web, b"", input_stream=io.BytesIO(body), environ_overrides={"CONTENT_LENGTH": length})
    assert answer.status_code in (400, 413, 422), answer.text
    assert_nothing_stored(web)


def test_client_that_disconnects_leaves_no_upload(web: Flask) -> None:
    class Gone(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) or self.hang_up()

        def hang_up(self) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    web.testing = False  # the error becomes an answer, which is not sent
    stream = Gone(part("file", b"x" * 200_000, b"a"))
    post_body(web, b"", input_stream=stream, environ_overrides={"CONTENT_LENGTH": "1000000"})
    assert_nothing_stored(web)
