"""An upload is durable, unguessable, bound to its key, and kept for a time."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g

from app.core.db import connection, uploads
from app.core.db.connection import read_clock
from app.core.db.uploads import Upload
from app.core.storage.folder import Folder
from app.current import get_settings
from tests.app.api.assemblyai.speaking import create, created, fetched, refused, upload, uploaded
from tests.app.conftest import MakeWeb
from tests.app.posting import RECORDING, kept, rows
from workers.supervisor.purge import purge_uploads

MEBIBYTE = 1024 * 1024


def test_upload_is_stored_and_becomes_the_recording_of_a_transcript(anywhere: Flask) -> None:
    url = uploaded(anywhere)
    token = url.rpartition("/")[2]
    assert url == f"http://localhost/v2/upload/{token}" and len(token) == 43
    identifier = created(anywhere, audio_url=url)
    assert fetched(anywhere, identifier)["audio_url"] == url
    cache = get_settings(anywhere).cache.path
    assert (cache / identifier / "source").read_bytes() == RECORDING
    assert kept(anywhere) == sorted([identifier, f"{identifier}/source", "uploads", f"uploads/{token}"])


def test_upload_can_be_used_again_with_other_options(web: Flask) -> None:
    url = uploaded(web)
    assert created(web, audio_url=url) != created(web, audio_url=url, language_code="de")


def test_same_recording_and_options_share_a_task(web: Flask) -> None:
    assert created(web, audio_url=uploaded(web)) == created(web, audio_url=uploaded(web))
    assert len(rows()) == 1


def test_transcripts_with_a_webhook_share_no_task(web: Flask) -> None:
    hook = {"webhook_url": "https://93.184.215.14/hook"}
    assert created(web, audio_url=uploaded(web), **hook) != created(web, audio_url=uploaded(web), **hook)


def test_upload_behind_a_proxy_is_known_by_its_token(web: Flask) -> None:
    token = uploaded(web).rpartition("/")[2]
    created(web, audio_url=f"https://speech.example/base/v2/upload/{token}")


def test_body_without_length_is_received(web: Flask) -> None:
    environ = {"wsgi.input": io.BytesIO(RECORDING), "wsgi.input_terminated": True}
    answer = web.test_client().post("/v2/upload", environ_overrides=environ)
    assert answer.status_code == 200
    (path,) = (get_settings(web).cache.path / "uploads").iterdir()
    assert path.read_bytes() == RECORDING


def test_any_content_type_but_a_form_is_received(web: Flask) -> None:
    for kind in ("", "application/octet-stream", "audio/wav", "application/x-www-form-urlencoded", "text/plain"):
        assert upload(web, **({"Content-Type": kind} if kind else {})).status_code == 200
    assert "form" in refused(upload(web, **{"Content-Type": "multipart/form-data; boundary=x"}))
    refused(upload(web, **{"Content-Encoding": "gzip"}), 415)


def test_empty_upload_is_refused_and_leaves_nothing(web: Flask) -> None:
    refused(upload(web, b""))
    assert kept(web) == []


def test_upload_may_be_larger_than_other_bodies(web: Flask) -> None:
    url = uploaded(web, b"x" * (3 * MEBIBYTE))
    assert (get_settings(web).cache.path / "uploads" / url.rpartition("/")[2]).stat().st_size == 3 * MEBIBYTE


@pytest.mark.parametrize("known", [True, False])
def test_large_upload_is_refused_and_leaves_nothing(make_web: MakeWeb, known: bool) -> None:
    web = make_web(limits={"max_upload_mb": 1})
    body = b"x" * (MEBIBYTE + 1)
    environ = {} if known else {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    answer = web.test_client().post("/v2/upload", data=body if known else None, environ_overrides=environ)
    refused(answer, 413)
    assert kept(web) == [] and upload(web, body[:-1]).status_code == 200


def test_upload_to_a_full_disk_is_refused_and_leaves_nothing(make_web: MakeWeb) -> None:
    web = make_web(limits={"min_free_mb": 10**9})
    refused(upload(web), 507)
    assert kept(web) == []


def test_broken_off_upload_is_refused_and_leaves_nothing(web: Flask) -> None:
    environ = {"wsgi.input": io.BytesIO(b"abc"), "CONTENT_LENGTH": "1000"}
    refused(web.test_client().post("/v2/upload", environ_overrides=environ))
    assert kept(web) == []


def test_upload_is_durable_before_it_is_known(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def add(token: str, owner: int | None, digest: str) -> None:
        assert [Path(path).name for path in synced[-2:]] == ["uploads", "cache"] and synced[0].endswith(".part")

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(uploads, "add", add)
    assert upload(web).status_code == 200


def test_upload_is_refused_while_the_queue_is_full(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 1})
    url = uploaded(web)
    created(web, audio_url=url)
    answer = upload(web)
    refused(answer, 429)
    assert answer.headers["Retry-After"]


@pytest.fixture
def keys(web: Flask) -> Iterator[dict[str, int | None]]:
    """The number of the API key that the next requests have."""
    current: dict[str, int | None] = {"owner": None}

    def identify() -> None:
        g.owner = current["owner"]

    web.before_request_funcs.setdefault(None, []).append(identify)
    yield current


def test_upload_of_another_key_is_unknown(web: Flask, keys: dict[str, int | None]) -> None:
    keys["owner"] = 1
    url = uploaded(web)
    keys["owner"] = 2
    other = refused(create(web, audio_url=url))
    assert other == refused(create(web, audio_url=url[:-43] + "A" * 43))
    keys["owner"] = 1
    identifier = created(web, audio_url=url)
    keys["owner"] = 2
    refused(web.test_client().get(f"/v2/transcript/{identifier}"), 404)
    refused(web.test_client().delete(f"/v2/transcript/{identifier}"), 404)
    assert fetched(web, "")["transcripts"] == []


def purged(web: Flask, later: float = 0.0) -> int:
    settings = get_settings(web).cache
    with connection.database.connection_context():
        return purge_uploads(Folder(settings.path), settings, read_clock() + later, time.time() + later)


def test_expired_upload_is_purged_but_not_its_transcript(web: Flask) -> None:
    url = uploaded(web)
    identifier = created(web, audio_url=url)
    assert purged(web, 3500) == 0 and purged(web, 3700) == 1 and purged(web, 3700) == 0
    assert "expired" in refused(create(web, audio_url=url))
    assert (get_settings(web).cache.path / identifier / "source").read_bytes() == RECORDING


def test_upload_without_row_is_purged_after_an_hour(web: Flask) -> None:
    uploaded(web)
    with connection.database.connection_context():
        Upload.delete().execute()
    assert purged(web, 3500) == 0 and purged(web, 3700) == 1
    assert kept(web) == ["uploads"]


def test_upload_lost_from_the_disk_is_refused_and_leaves_nothing(web: Flask) -> None:
    url = uploaded(web)
    (get_settings(web).cache.path / "uploads" / url.rpartition("/")[2]).unlink()
    assert "expired" in refused(create(web, audio_url=url))
    assert kept(web) == ["uploads"] and rows() == []
