"""POST /transcription: accepted means stored and committed; refused means that nothing is left behind."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import shutil
import tempfile
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import OperationalError
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.core.db import tasks
from app.current import get_defaults, get_settings
from app.submission import uploads
from tests.app.conftest import MakeWeb
from tests.app.posting import RECORDING, assert_nothing_stored, kept, post, refused, rows, submitted

MEBIBYTE = 1024 * 1024
LF = b"\r\n"


def posted(web: Flask, body: bytes, content_type: str = "multipart/form-data; boundary=x", **more: Any) -> TestResponse:
    return web.test_client().post("/transcription", data=body, content_type=content_type, **more)


def part(name: str, content: bytes = b"abc", filename: bytes | None = None) -> bytes:
    quoted = b"" if filename is None else b'; filename="' + filename + b'"'
    return LF.join(
        [b"--x", b'Content-Disposition: form-data; name="' + name.encode() + b'"' + quoted, b"", content, b""]
    )


@pytest.mark.parametrize("path", ["/transcription", "/transcription/"])
def test_upload_is_answered_with_its_task(web: Flask, path: str) -> None:
    answer = web.test_client().post(path, data={"file": (io.BytesIO(RECORDING), "a.wav")})
    assert answer.status_code == 201 and answer.history == ()
    identifier = answer.get_json()["identifier"]
    assert answer.get_json() == {
        "identifier": str(uuid.UUID(identifier, version=4)),
        "status": "QUEUED",
        "message": "Transcription task has queued",
    }
    assert answer.headers["Location"] == f"/task/{identifier}"
    assert answer.content_type == "application/json"
    (row,) = rows()
    assert (row.uuid, row.status, row.task_type, row.file_name) == (identifier, "QUEUED", "transcription", "a.wav")


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 3 * MEBIBYTE + 1])
def test_upload_is_stored_unchanged(web: Flask, size: int) -> None:
    recording = os.urandom(min(size, 4096)) * (size // 4096 + 1)
    identifier = submitted(web, recording=recording[:size])
    cache = get_settings(web).cache.path
    assert kept(web) == [identifier, f"{identifier}/source"]
    assert (cache / identifier / "source").read_bytes() == recording[:size]


def test_file_is_durable_before_the_task_exists(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = get_settings(web).cache.path
    synced: list[tuple[Path, int]] = []
    fsync, submit = os.fsync, tasks.submit

    def noting(descriptor: int) -> None:
        synced.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")), os.fstat(descriptor).st_size))
        fsync(descriptor)

    def committing(identifier: str, *arguments: Any) -> None:
        recording, folder, parent = synced
        assert recording[0].parent == cache / "incoming" and recording[1] == len(RECORDING)
        assert (folder[0], parent[0]) == (cache / identifier, cache)
        assert (cache / identifier / "source").exists()
        submit(identifier, *arguments)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(tasks, "submit", committing)
    submitted(web)


def test_upload_is_written_once_and_not_held_in_memory(web: Flask) -> None:
    recording = io.BytesIO(b"x" * 64 * MEBIBYTE)
    body = part("file", b"", b"a.wav")[: -len(LF)]
    stream = io.BytesIO(body + recording.getvalue() + LF + b"--x--" + LF)
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


@pytest.mark.parametrize("place", ["query", "form"])
def test_parameters_are_read_from_query_or_form(web: Flask, place: str) -> None:
    if place == "query":
        submitted(web, "?beam_size=3&lang=de&suppress_tokens=1&suppress_tokens=2")
    else:
        submitted(web, beam_size="3", lang="de", suppress_tokens=["1", "2"])
    params = json.loads(rows()[0].params)
    assert (params["beam_size"], params["lang"], params["suppress_tokens"]) == (3, "de", [1, 2])


def test_row_holds_every_parameter_with_defaults_filled_in(web: Flask) -> None:
    submitted(web, "?vad_filter=1")
    defaults = get_defaults(web)
    stored = json.loads(rows()[0].params)
    assert set(stored) == set(vars(defaults)) - {"hf_token"}
    assert stored["max_speech_duration_s"] is None and stored["vad_filter"] is True
    assert json.loads(rows()[0].warnings) == []


@pytest.mark.parametrize("name", ["beam_size", "lang", "suppress_tokens", "hf_token"])
def test_parameter_in_query_and_form_is_refused(web: Flask, name: str) -> None:
    value = "de" if name == "lang" else "1"
    body = refused(post(web, f"?{name}={value}", **{name: value}), 422, name)
    assert body["errors"][name] == ["Given more than once."]
    assert_nothing_stored(web)


@pytest.mark.parametrize("place", ["query", "form"])
def test_parameter_given_twice_is_refused(web: Flask, place: str) -> None:
    answer = post(web, "?lang=de&lang=de") if place == "query" else post(web, lang=["de", "de"])
    refused(answer, 422, "lang")
    assert_nothing_stored(web)


def test_all_invalid_parameters_are_named_in_one_response(web: Flask) -> None:
    refused(post(web, "?beam_size=0&lang=xx&nope=1&patience=nan"), 422, "beam_size", "lang", "nope", "patience")
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([], uploads.NO_RECORDING),
        ([("lang", "de")], uploads.NO_RECORDING),
        ([("file", "text")], "Must be a file, not text: curl -F file=@recording.wav"),
        ([("file", (io.BytesIO(b""), "a.wav"))], "The file is empty."),
        ([("file", (io.BytesIO(b"a"), "a")), ("file", (io.BytesIO(b"b"), "b"))], "Given more than once."),
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


def test_file_and_url_together_are_refused_in_query_and_form(web: Flask) -> None:
    for answer in (post(web, file_url="https://example.org/a.wav"), post(web, "?file_url=https://example.org/a.wav")):
        assert "not both" in refused(answer, 422, "file_url")["errors"]["file_url"][0]
    assert_nothing_stored(web)


def test_refused_parameters_leave_no_upload(web: Flask) -> None:
    refused(post(web, "?beam_size=0", recording=b"x" * 3 * MEBIBYTE), 422, "beam_size")
    assert_nothing_stored(web)


def test_full_queue_is_refused_before_the_body_is_read(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 1})
    submitted(web)
    body = io.BytesIO(part("file", b"x" * MEBIBYTE, b"a.wav") + b"--x--" + LF)
    refused(posted(web, b"", input_stream=body, content_length=len(body.getvalue())), 429)
    assert body.tell() == 0


def test_full_queue_refuses_uploads_until_a_task_is_claimed(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 2})
    accepted = [submitted(web), submitted(web)]
    answer = post(web)
    assert "queue is full" in refused(answer, 429)["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert kept(web) == sorted([*accepted, *(f"{identifier}/source" for identifier in accepted)])
    assert len(rows()) == 2
    tasks.claim("me")
    submitted(web)


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_upload_is_refused_with_and_without_content_length(make_web: MakeWeb, announced: bool) -> None:
    web = make_web(limits={"max_upload_mb": 1})
    body = part("file", b"x" * (2 * MEBIBYTE + 1), b"a.wav") + b"--x--" + LF
    if announced:
        answer = posted(web, body)
    else:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = posted(web, b"", input_stream=io.BytesIO(body), environ_overrides=environ)
    refused(answer, 413)
    assert_nothing_stored(web)


def test_upload_of_the_largest_size_is_accepted(make_web: MakeWeb) -> None:
    submitted(make_web(limits={"max_upload_mb": 1}), recording=b"x" * MEBIBYTE)


def test_upload_beyond_the_free_space_limit_is_507(make_web: MakeWeb) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    assert "no room" in refused(post(web), 507)["message"]
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


def test_failed_commit_is_503_and_keeps_the_upload(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any) -> None:
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as faulty:
        faulty.setattr(tasks, "submit", failing)
        answer = post(web)
    refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    folder, source = kept(web)  # nobody knows on which side of the commit it failed; the purge removes orphans
    assert source == f"{folder}/source"
    submitted(web)


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
    answer = posted(web, part("file", RECORDING, name) + b"--x--" + LF)
    assert answer.status_code == 201, answer.text
    identifier = answer.get_json()["identifier"]
    assert kept(web) == [identifier, f"{identifier}/source"]
    label = rows()[0].file_name
    assert len(label) <= 1024 and "\0" not in label
    label.encode("utf-8")
    assert set(answer.headers.keys()) == {"Content-Type", "Content-Length", "Location"}


def test_label_is_the_file_name_sent_by_the_client(web: Flask) -> None:
    names = ["../../Gespräch ‮ 字.wav", "-i.wav"]
    for name in names:
        submitted(web, name=name)
    assert [row.file_name for row in rows()] == names


@pytest.mark.parametrize("name", [b"Gespr\xe4ch.wav", b"\xed\xa0\x80"])
def test_file_name_that_is_not_utf8_is_refused_with_the_reason(web: Flask, name: bytes) -> None:
    assert "UTF-8" in refused(posted(web, part("file", RECORDING, name) + b"--x--" + LF), 400)["message"]
    assert_nothing_stored(web)


@pytest.mark.parametrize("name", [b"a\r\nX-Evil: 1", b"a\nb", b"a\rb"])
def test_line_break_in_a_file_name_adds_no_header(web: Flask, name: bytes) -> None:
    answer = posted(web, part("file", RECORDING, name) + b"--x--" + LF)
    refused(answer, 422, "file")  # clients send it as %0D%0A, which is accepted
    assert "X-Evil" not in answer.headers
    assert_nothing_stored(web)


@pytest.mark.parametrize("place", ["query", "form"])
def test_token_of_a_client_is_not_stored_returned_or_logged(
    web: Flask, place: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "hf_clientsecret"
    answer = post(web, f"?hf_token={token}") if place == "query" else post(web, hf_token=token)
    shown = web.test_client().get(answer.headers["Location"])
    wrong = (
        post(web, f"?hf_token={token}&beam_size=0") if place == "query" else post(web, hf_token=token, beam_size="0")
    )
    assert (answer.status_code, shown.status_code, wrong.status_code) == (201, 200, 422)
    (row,) = rows()
    assert token not in str(row.__data__) and "hf_token" not in row.params
    assert [warning for warning in json.loads(row.warnings) if "hf_token" in warning]
    said = [answer.text, shown.text, wrong.text, str(answer.headers), caplog.text, *capfd.readouterr()]
    assert token not in "".join(said)
    stored = [path for path in get_settings(web).cache.path.rglob("*") if path.is_file()]
    assert token.encode() not in b"".join(path.read_bytes() for path in stored)


@pytest.mark.parametrize("kind", ["fields", "files", "same"])
def test_thousands_of_parts_of_any_kind_are_refused(web: Flask, kind: str) -> None:
    names = ["beam_size"] * 10_000 if kind == "same" else [f"n{number}" for number in range(10_000)]
    filename = b"a" if kind == "files" else None
    refused(posted(web, b"".join(part(name, b"1", filename) for name in names) + b"--x--" + LF), 413)
    assert_nothing_stored(web)


def test_large_form_fields_are_refused_without_filling_memory(web: Flask) -> None:
    body = (
        b"".join(part("initial_prompt", b"x" * MEBIBYTE) for _ in range(50)) + part("file", RECORDING, b"a") + b"--x--"
    )
    refused(posted(web, body), 413)
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
    answer = posted(web, b"", content_type, environ_overrides=environ)
    assert answer.status_code in (413, 422), answer.text
    assert stream.read_bytes < 4 * MEBIBYTE
    announced = posted(web, b"a=" + b"x" * 3 * MEBIBYTE, content_type)
    assert announced.status_code in (413, 422), announced.text
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
        ("multipart/form-data; boundary=x", os.urandom(70_000)),
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
    answer = posted(web, body, content_type)
    assert 400 <= answer.status_code < 500, answer.text
    refused(answer, answer.status_code, *answer.get_json().get("errors", {}))
    assert_nothing_stored(web)


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 30, "0", "5"])
def test_wrong_content_length_is_a_client_error(web: Flask, length: str) -> None:
    body = part("file", RECORDING, b"a") + b"--x--" + LF
    answer = posted(web, b"", input_stream=io.BytesIO(body), environ_overrides={"CONTENT_LENGTH": length})
    assert answer.status_code in (400, 413, 422), answer.text
    assert_nothing_stored(web)


def test_client_that_disconnects_leaves_no_upload(web: Flask) -> None:
    class Gone(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) or self.hang_up()

        def hang_up(self) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    web.testing = False  # nobody is left to answer; what counts is what stays behind
    stream = Gone(part("file", b"x" * 200_000, b"a"))
    posted(web, b"", input_stream=stream, environ_overrides={"CONTENT_LENGTH": "1000000"})
    assert_nothing_stored(web)
