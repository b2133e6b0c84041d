"""The web side on a bucket: the same answers as with local files, and 503 while the store is away."""

from __future__ import annotations

import io
import json
import os
import secrets
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection, tasks, uploads
from app.core.settings import Settings
from app.core.storage.location import Keys
from app.core.storage.opening import open_storage
from app.core.storage.paths import waveform_name
from app.core.storage.storage import Storage
from app.current import get_settings
from app.factory import create_app
from app.submission.kept_uploads import TOKEN_BYTES
from tests.app.posting import RECORDING, post, refused, rows, submitted
from tests.app.rows import claimed, queued
from tests.app.separating import STEMS
from tests.object_store import KEYS, ObjectStoreServer
from tests.service import free_port

CONTENT = os.urandom(2_000_000)


@pytest.fixture
def web(mini_settings: Settings, object_store: ObjectStoreServer) -> Iterator[Flask]:
    """The web side on a bucket, without workers."""
    yield from open_web(object_store.settings(mini_settings))


@pytest.fixture
def redirecting(mini_settings: Settings, object_store: ObjectStoreServer) -> Iterator[Flask]:
    """The same; clients are sent to the store."""
    yield from open_web(object_store.settings(mini_settings, redirect=True))


@pytest.fixture
def away(mini_settings: Settings, object_store: ObjectStoreServer) -> Iterator[Flask]:
    """The same, with a store that does not answer."""
    settings = object_store.settings(mini_settings)
    gone = replace(settings.storage, endpoint=f"http://127.0.0.1:{free_port()}")
    yield from open_web(replace(settings, storage=gone))


def open_web(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    yield app
    connection.database.close()


def storage(web: Flask) -> Storage:
    return open_storage(get_settings(web))


def incoming(web: Flask) -> list[Any]:
    return list((get_settings(web).cache.path / "incoming").glob("*"))


def get(web: Flask, address: str, **headers: str) -> TestResponse:
    return web.test_client().get(address, headers={name.replace("_", "-"): value for name, value in headers.items()})


def finished(web: Flask) -> str:
    """Complete a task with stems and a waveform in the bucket."""
    identifier = submitted(web, path="/bgm-separation", recording=CONTENT)
    claim = claimed()
    with storage(web).write_stems(identifier, claim.claim_no) as folder:
        folder.mkdir()
        for name, content in STEMS.items():
            (folder / name).write_bytes(content)
    with storage(web).write_file(identifier, claim.claim_no, waveform_name()) as path:
        path.write_text('{"version": 2}')
    assert tasks.complete(claim, "filepath", json.dumps({"files": []}), [], 1.0)
    return identifier


def test_upload_is_in_the_bucket_before_the_answer(web: Flask) -> None:
    identifier = submitted(web, recording=CONTENT)
    assert storage(web).find(identifier, "source").read_size() == len(CONTENT)
    assert incoming(web) == []


def test_refused_upload_is_not_left_in_the_bucket(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from werkzeug.exceptions import TooManyRequests

    def refuse(*_: Any, **__: Any) -> None:
        raise TooManyRequests("no")

    monkeypatch.setattr(tasks, "submit", refuse)
    refused(post(web), 429)
    assert storage(web).list_abandoned(10.0**10) == []


def test_recording_in_a_bucket_is_sent_with_ranges(web: Flask) -> None:
    address = f"/task/{submitted(web, recording=CONTENT, name='Frühstück.wav')}/recording"
    answer = get(web, address)
    assert (answer.status_code, answer.data, answer.content_length) == (200, CONTENT, len(CONTENT))
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["Content-Security-Policy"] == "sandbox"
    assert "Fr%C3%BChst%C3%BCck.wav" in answer.headers["Content-Disposition"]
    for asked, part in [("0-99", slice(0, 100)), ("1999990-", slice(-10, None)), ("-50", slice(-50, None))]:
        ranged = get(web, address, Range=f"bytes={asked}")
        assert (ranged.status_code, ranged.data) == (206, CONTENT[part])
        assert ranged.headers["Content-Range"].endswith(f"/{len(CONTENT)}")
    refused(get(web, address, Range="bytes=9999999-"), 416)
    assert get(web, address, If_None_Match=answer.headers["ETag"]).status_code == 304
    head = web.test_client().head(address)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(CONTENT))


def test_range_is_not_read_from_the_beginning(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.storage.object_store import ObjectStore

    asked: list[int] = []
    real = ObjectStore.open

    def noted(self: ObjectStore, entry: Any, start: int, end: int) -> Any:
        asked.append(start)
        return real(self, entry, start, end)

    monkeypatch.setattr(ObjectStore, "open", noted)
    address = f"/task/{submitted(web, recording=CONTENT)}/recording"
    # gunicorn's own file wrapper can only read on
    environ = {"wsgi.file_wrapper": lambda file, size: iter(lambda: file.read(size), b"")}
    answer = web.test_client().get(address, headers={"Range": "bytes=1900000-1900009"}, environ_overrides=environ)
    assert answer.data == CONTENT[1_900_000:1_900_010] and asked == [1_900_000]


def test_stems_in_a_bucket_are_sent_one_by_one_and_as_a_zip(web: Flask) -> None:
    identifier = finished(web)
    for name, content in STEMS.items():
        answer = get(web, f"/task/{identifier}/file/{name}", Range="bytes=10-19")
        assert (answer.status_code, answer.data) == (206, content[10:20])
        assert answer.content_type in ("audio/wav", "audio/x-wav")
    assert "vocals.wav" in refused(get(web, f"/task/{identifier}/file/bass.wav"), 404)["message"]
    archive = get(web, f"/task/file/{identifier}")
    assert archive.content_length == len(archive.data)
    with zipfile.ZipFile(io.BytesIO(archive.data)) as read:
        assert {name: read.read(name) for name in read.namelist()} == STEMS


def test_waveform_in_a_bucket_is_sent(web: Flask) -> None:
    identifier = finished(web)
    assert get(web, f"/task/{identifier}/waveform").get_json() == {"version": 2}
    refused(get(web, f"/task/{identifier}/recording?copy=true"), 404)


def test_deleted_task_leaves_nothing_in_the_bucket(web: Flask) -> None:
    identifier = finished(web)
    assert web.test_client().delete(f"/task/{identifier}").status_code == 204
    assert storage(web).list_abandoned(10.0**10) == []


def test_recording_in_a_bucket_is_processed_again(web: Flask) -> None:
    first = finished(web)
    second = web.test_client().post(f"/task/{first}/again").get_json()["identifier"]
    assert web.test_client().delete(f"/task/{first}").status_code == 204
    assert get(web, f"/task/{second}/recording").data == CONTENT
    storage(web).remove(second)
    refused(web.test_client().post(f"/task/{second}/again"), 410)


def test_client_is_sent_to_the_store(redirecting: Flask) -> None:
    identifier = finished(redirecting)
    for path, content, name in [
        ("recording", CONTENT, "a.wav"),
        ("file/vocals.wav", STEMS["vocals.wav"], "vocals.wav"),
    ]:
        answer = get(redirecting, f"/task/{identifier}/{path}")
        assert answer.status_code == 302
        sent = requests.get(answer.headers["Location"], timeout=10)
        assert (sent.status_code, sent.content) == (200, content)
        assert (
            sent.headers["Content-Disposition"].startswith("attachment") and name in sent.headers["Content-Disposition"]
        )
        part = requests.get(answer.headers["Location"], headers={"Range": "bytes=5-9"}, timeout=10)
        assert (part.status_code, part.content) == (206, content[5:10])
    assert requests.get(answer.headers["Location"][:-1] + "0", timeout=10).status_code == 403


def test_pages_and_heads_are_not_sent_to_the_store(redirecting: Flask) -> None:
    identifier = finished(redirecting)
    address = f"/task/{identifier}/file/vocals.wav"
    assert get(redirecting, address, Sec_Fetch_Site="same-origin").data == STEMS["vocals.wav"]
    assert redirecting.test_client().head(address).status_code == 200
    assert get(redirecting, f"/task/{identifier}/waveform").status_code == 200


def test_upload_without_its_store_is_503_and_no_task(away: Flask) -> None:
    for answer in (
        post(away),
        away.test_client().post("/batch", data={"file": (io.BytesIO(RECORDING), "a.wav")}),
        away.test_client().post("/v2/upload", data=RECORDING),
    ):
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert "temporarily unavailable" in answer.text and "127.0.0.1" not in answer.text
    assert rows() == [] and incoming(away) == []


def test_upload_with_keys_that_became_wrong_is_503_and_no_task(web: Flask) -> None:
    store: Any = storage(web)._store  # type: ignore[attr-defined]
    store._keys, store._made = Keys(KEYS.access, "changed"), None
    answer = post(web)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert rows() == [] and incoming(web) == []


def test_reading_without_the_store_is_503(away: Flask) -> None:
    answer = get(away, f"/task/{queued()}/recording")
    assert refused(answer, 503)["message"].startswith("The storage of recordings")


def test_deletion_without_the_store_succeeds(away: Flask) -> None:
    assert away.test_client().delete(f"/task/{queued()}").status_code == 204


def test_transcript_is_deleted_without_the_store_together_with_its_upload(
    away: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    identifier, address = str(uuid.uuid4()), f"/v2/upload/{token}"
    with connection.database.connection_context():
        uploads.add(token, None, "0" * 64)
        stored = {"file_url": f"http://localhost{address}"}
        tasks.submit(identifier, "transcription", stored, "a.wav", [], facade="assemblyai")
    assert away.test_client().delete(f"/v2/transcript/{identifier}").status_code == 200
    assert rows() == [] and uploads.get(token) is None
    assert "an upload cannot be removed" in caplog.text and token not in caplog.text


def test_readiness_names_the_storage_setting(away: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.api import health

    monkeypatch.setattr(health, "_find_worker_problem", lambda _: None)
    assert "storage.endpoint" in refused(get(away, "/health/ready"), 503)["message"]
