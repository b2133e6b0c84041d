"""An accepted task is stored and committed before the answer."""

from __future__ import annotations

import io
import json
import logging
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import OperationalError

from app.core.db import tasks
from app.current import get_settings
from tests.app.posting import RECORDING, assert_nothing_stored, kept, post, refused, rows, submitted

MEBIBYTE = 1024 * 1024


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


def test_file_is_durable_before_the_task_exists(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = get_settings(web).cache.path
    synced: list[tuple[Path, int]] = []
    fsync, submit = os.fsync, tasks.submit

    def noting(descriptor: int) -> None:
        synced.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")), os.fstat(descriptor).st_size))
        fsync(descriptor)

    def committing(identifier: str, *arguments: Any, **columns: Any) -> None:
        recording, folder, parent = synced
        assert recording[0].parent == cache / "incoming" and recording[1] == len(RECORDING)
        assert (folder[0], parent[0]) == (cache / identifier, cache)
        assert (cache / identifier / "source").exists()
        submit(identifier, *arguments, **columns)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(tasks, "submit", committing)
    submitted(web)


def test_refused_parameters_leave_no_upload(web: Flask) -> None:
    refused(post(web, "?beam_size=0", recording=b"x" * 3 * MEBIBYTE), 422, "beam_size")
    assert_nothing_stored(web)


def test_failed_commit_is_503_and_keeps_the_upload(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any, **columns: Any) -> None:
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as faulty:
        faulty.setattr(tasks, "submit", failing)
        answer = post(web)
    refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    folder, source = kept(web)  # the commit may have succeeded; without a row, the purge removes the folder
    assert source == f"{folder}/source"
    submitted(web)


def test_label_is_the_file_name_sent_by_the_client(web: Flask) -> None:
    names = ["../../Gespräch ‮ 字.wav", "-i.wav"]
    for name in names:
        submitted(web, name=name)
    assert [row.file_name for row in rows()] == names


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
