"""Files of a finished task: as a ZIP or one by one, with ranges; an error says why there are none."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import tasks
from app.core.settings import Cache
from app.core.storage.folder import Folder
from app.core.storage.stored_file import LocalFile
from app.current import get_settings
from app.formats import stem_archive
from tests.app.posting import refused, submitted
from tests.app.rows import claimed
from tests.app.separating import STEMS, finished
from workers.supervisor import purge

Addresses = list[str]


def get(web: Flask, address: str, **headers: str) -> TestResponse:
    return web.test_client().get(address, headers=headers)


def addresses(identifier: str) -> Addresses:
    return [f"/task/file/{identifier}", f"/task/{identifier}/file/vocals.wav"]


def cache(web: Flask) -> Path:
    path: Path = get_settings(web).cache.path
    return path


def test_zip_holds_every_stem(web: Flask) -> None:
    identifier = finished(web)
    answer = get(web, f"/task/file/{identifier}")
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={identifier}.zip"
    assert answer.content_length == len(answer.data)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == STEMS


@pytest.mark.parametrize("name", STEMS)
def test_each_stem_is_downloaded_by_name(web: Flask, name: str) -> None:
    answer = get(web, f"/task/{finished(web)}/file/{name}")
    assert (answer.status_code, answer.data) == (200, STEMS[name])
    assert answer.content_type in ("audio/wav", "audio/x-wav")
    assert answer.headers["Accept-Ranges"] == "bytes" and name in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("asked", "part", "said"),
    [
        ("bytes=0-99", slice(0, 100), "bytes 0-99/{size}"),
        ("bytes=100-", slice(100, None), "bytes 100-{last}/{size}"),
        ("bytes=-50", slice(-50, None), "bytes {fifty}-{last}/{size}"),
        ("bytes=0-99999999", slice(0, None), "bytes 0-{last}/{size}"),
    ],
)
def test_range_returns_its_part(web: Flask, asked: str, part: slice, said: str) -> None:
    content = STEMS["vocals.wav"]
    answer = get(web, f"/task/{finished(web)}/file/vocals.wav", Range=asked)
    assert (answer.status_code, answer.data) == (206, content[part])
    size = len(content)
    assert answer.headers["Content-Range"] == said.format(size=size, last=size - 1, fifty=size - 50)


def test_range_outside_the_file_is_416(web: Flask) -> None:
    refused(get(web, f"/task/{finished(web)}/file/vocals.wav", Range="bytes=9999999-"), 416)


def test_unchanged_file_is_not_sent_again(web: Flask) -> None:
    address = f"/task/{finished(web)}/file/vocals.wav"
    tag = get(web, address).headers["ETag"]
    assert get(web, address, **{"If-None-Match": tag}).status_code == 304


def test_trailing_slash_and_head_make_no_difference(web: Flask) -> None:
    for address in addresses(finished(web)):
        assert get(web, address + "/").status_code == 200
        head = web.test_client().head(address)
        assert (head.status_code, head.data) == (200, b"") and head.content_length == get(web, address).content_length


@pytest.mark.parametrize(
    "name", ["bass.wav", "..", "../source", "..%2fsource", "%00", "vocals", "VOCALS.WAV", "x" * 5000]
)
def test_unknown_file_name_is_404(web: Flask, name: str) -> None:
    body = refused(get(web, f"/task/{finished(web)}/file/{name}"), 404)
    assert "RIFF" not in str(body)


def test_unknown_file_name_error_lists_the_available_files(web: Flask) -> None:
    message = refused(get(web, f"/task/{finished(web)}/file/bass.wav"), 404)["message"]
    assert all(name in message for name in STEMS)


def test_file_of_an_unknown_task_is_404(web: Flask) -> None:
    for address in addresses("0b7c3d1e-6a52-4f0e-9d3c-2f6f0c6a4b11"):
        refused(get(web, address), 404)


def test_unfinished_task_is_409(web: Flask) -> None:
    identifier = submitted(web, path="/bgm-separation")
    for address in addresses(identifier):
        assert "QUEUED" in refused(get(web, address), 409)["message"]
    claimed()
    for address in addresses(identifier):
        assert "IN_PROGRESS" in refused(get(web, address), 409)["message"]


def test_failed_task_has_no_files(web: Flask) -> None:
    identifier = submitted(web, path="/bgm-separation")
    assert tasks.fail(claimed(), "no_audio", "There is no sound in it.", [], None)
    for address in addresses(identifier):
        refused(get(web, address), 404)


@pytest.mark.parametrize("query", ["", "?is_separate_bgm=true", "?save_file=true"])
def test_transcription_that_keeps_no_stems_has_no_files(web: Flask, query: str) -> None:
    for address in addresses(finished(web, query, "/transcription")):
        refused(get(web, address), 404)


def test_transcription_that_keeps_stems_serves_them(web: Flask) -> None:
    identifier = finished(web, "?is_separate_bgm=true&save_file=true", "/transcription")
    assert get(web, f"/task/{identifier}/file/vocals.wav").data == STEMS["vocals.wav"]


def test_purged_files_are_410_with_the_time_of_removal(web: Flask) -> None:
    identifier = finished(web)
    assert purge.purge_finished(Folder(cache(web)), Cache(ttl=-1)) == 1
    for address in addresses(identifier):
        message = refused(get(web, address), 410)["message"]
        assert message.startswith("The files of this task were removed at 20") and "Z;" in message


def test_files_removed_before_the_row_is_updated_are_410(web: Flask) -> None:
    identifier = finished(web)
    for path in (cache(web) / identifier).rglob("*.wav"):
        path.unlink()
    for address in addresses(identifier):
        refused(get(web, address), 410)


def test_download_in_progress_survives_the_purge(web: Flask) -> None:
    identifier = finished(web)
    with web.app_context():
        row = tasks.get(identifier)
    assert row is not None
    archive = stem_archive.Archive(stem_archive.find_stems(Folder(cache(web)), row))
    assert purge.purge_finished(Folder(cache(web)), Cache(ttl=-1)) == 1
    content = b"".join(archive)
    archive.close()
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        assert {name: read.read(name) for name in read.namelist()} == STEMS


def test_file_purged_at_the_last_moment_is_410(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = finished(web)
    gone = cache(web) / "gone.wav"
    monkeypatch.setattr(stem_archive, "find_stems", lambda *_: {"vocals.wav": LocalFile(gone)})
    for address in addresses(identifier):
        refused(get(web, address), 410)


def test_stems_of_another_attempt_are_not_served(web: Flask) -> None:
    identifier = finished(web)
    late = cache(web) / identifier / "stems-0"
    late.mkdir()
    (late / "vocals.wav").write_bytes(b"late")
    assert get(web, f"/task/{identifier}/file/vocals.wav").data == STEMS["vocals.wav"]
