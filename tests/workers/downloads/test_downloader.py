"""The supervisor's downloads: limited in number, aborted with their task, retried after a crash."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from peewee import OperationalError

from app.core.db import claims, downloads
from app.core.db.states import CANCELLED, FAILED, QUEUED
from app.core.db.tasks import Task
from app.core.settings import Cache, Fetch, Limits, Settings
from app.core.storage.folder import Folder
from app.core.storage.storage import StorageUnavailableError
from tests.app.rows import queued, row
from tests.service import promptly, until
from tests.sources import answered, dripping, redirect, source
from workers.downloads import downloader
from workers.downloads.downloader import Downloader

SOUND = b"sound" * 100_000
FETCH = Fetch(allow=("127.0.0.0/8",), parallel=2, stall_seconds=20.0, min_kb_per_second=0.1)

Serving = Callable[..., Any]


@pytest.fixture
def serving(open_database: str, tmp_path: Path) -> Serving:
    """Run a Downloader on an empty database, with changed ``fetch`` settings or resolver."""

    @contextmanager
    def serve(resolve: Any = None, **fetch: Any) -> Iterator[Downloader]:
        (tmp_path / "cache").mkdir(exist_ok=True)
        settings = Settings(
            cache=Cache(path=tmp_path / "cache"),
            fetch=replace(FETCH, **fetch),
            limits=Limits(max_upload_mb=2),
            db_url=open_database,
        )
        running = Downloader(settings, resolve) if resolve else Downloader(settings)
        running.start()
        try:
            yield running
        finally:
            running.stop()
            assert not running._thread.is_alive()

    return serve


def ended(identifier: str) -> Task:
    until(lambda: row(identifier).source_url is None, "the download ends")
    return row(identifier)


def slowly(path: str) -> Iterable[bytes]:
    """Announce 1 MB and send it one kilobyte at a time."""
    return dripping(answered(b"x" * 300_000, length=1_000_000), 0.05, b"x" * 1000)


def test_task_can_be_claimed_only_after_its_download(serving: Serving, tmp_path: Path) -> None:
    with source(answered(SOUND)) as server, serving():
        identifier = queued(source_url=f"{server.url}/a.wav?sig=1")
        done = ended(identifier)
    assert (done.status, done.holder, done.stage, done.progress) == (QUEUED, None, None, downloads.SHARE)
    assert (tmp_path / "cache" / identifier / "source").read_bytes() == SOUND
    claimed = claims.claim("device")
    assert claimed is not None and claimed.uuid == identifier
    assert server.requests[0].startswith("GET /a.wav?sig=1 ")


def test_progress_is_reported_during_a_download(serving: Serving) -> None:
    with source(slowly) as server, serving():
        identifier = queued(source_url=server.url)
        until(lambda: row(identifier).progress > 0.02, "progress")
        assert (row(identifier).status, row(identifier).stage) == (QUEUED, "download")
        assert row(identifier).progress < downloads.SHARE
        assert claims.claim("device") is None


def test_parallel_downloads_are_limited_and_all_complete(serving: Serving) -> None:
    most = 0

    def answer(path: str) -> Iterable[bytes]:
        nonlocal most
        most = max(most, server.open)
        until(lambda: most > 1, "another download has started", every=0.01)
        time.sleep(0.2)  # time for a third download, which must not start
        yield answered(SOUND)

    with source(answer) as server, serving(parallel=2):
        identifiers = [queued(source_url=server.url) for _ in range(7)]
        assert {ended(identifier).error for identifier in identifiers} == {None}
    assert most == 2


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (answered(b"no", "404 Not Found"), "download_failed", "404 Not Found"),
        (redirect("http://10.0.0.1/?secret"), "blocked_address", "redirects"),
        (answered(b"x" * 3_000_000), "download_failed", "larger than the limit of 2 MB"),
    ],
)
def test_failed_download_fails_the_task_and_leaves_no_files(
    serving: Serving, tmp_path: Path, answer: bytes, code: str, says: str
) -> None:
    with source(answer) as server, serving():
        identifier = queued(source_url=f"{server.url}/?secret")
        failed = ended(identifier)
    assert (failed.status, failed.error_code, failed.stage) == (FAILED, code, None)
    assert says in str(failed.error) and "secret" not in str(failed.__data__)
    assert not (tmp_path / "cache" / identifier).exists()


def test_name_that_now_resolves_to_this_machine_is_blocked(serving: Serving) -> None:
    """At submission, the name still had a public address."""
    with source(answered(SOUND)) as server, serving(lambda host, port: ["127.0.0.1"], allow=()):
        failed = ended(queued(source_url=f"http://media.example:{server.port}/"))
        assert (failed.status, failed.error_code) == (FAILED, "blocked_address")
        assert server.requests == []


def test_slow_download_is_aborted_and_frees_its_slot(serving: Serving) -> None:
    def answer(path: str) -> Iterable[bytes]:
        return dripping(answered(b"", length=1000), 0.2) if path == "/slow" else [answered(SOUND)]

    with source(answer) as server, serving(parallel=1, stall_seconds=5.0, min_kb_per_second=1.0):
        slow, waiting = queued(source_url=f"{server.url}/slow"), queued(source_url=f"{server.url}/a.wav")
        assert "bytes in 5 s" in str(ended(slow).error)
        assert ended(waiting).status == QUEUED


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_cancelled_or_deleted_task_aborts_its_download(serving: Serving, tmp_path: Path, how: str) -> None:
    with source(slowly) as server, serving(parallel=1):
        identifier = queued(source_url=f"{server.url}/?secret")
        until(lambda: server.open == 1, "download started")
        if how == "cancelled":
            Task.update(status=CANCELLED, finished_at=1.0).where(Task.uuid == identifier).execute()
        else:
            Task.delete().where(Task.uuid == identifier).execute()
            shutil.rmtree(tmp_path / "cache" / identifier)
        until(lambda: server.open == 0, "download ended")
        if how == "cancelled":
            assert (ended(identifier).status, row(identifier).error) == (CANCELLED, None)
        server.answer = lambda path: [answered(SOUND)]
        assert ended(queued(source_url=server.url)).error is None  # the slot is free again
        assert not list((tmp_path / "cache" / identifier).glob("source*"))


def test_stop_releases_unfinished_downloads_and_a_start_retries_them(serving: Serving, tmp_path: Path) -> None:
    with source(slowly) as server:
        with serving():
            identifier = queued(source_url=server.url)
            until(lambda: server.open == 1, "download started")
            began = time.monotonic()
        assert time.monotonic() - began < promptly(3)
        left = row(identifier)
        assert (left.status, left.holder, left.stage, left.error) == (QUEUED, None, None, None)
        assert not list((tmp_path / "cache" / identifier).glob("source*"))
        server.answer = lambda path: [answered(SOUND)]
        with serving():
            assert ended(identifier).error is None
    assert (tmp_path / "cache" / identifier / "source").read_bytes() == SOUND


def test_download_of_a_killed_process_is_retried_when_its_lease_expires(serving: Serving, tmp_path: Path) -> None:
    with source(answered(SOUND)) as server:
        identifier = queued(source_url=server.url)
        assert downloads.claim("killed") is not None
        folder = tmp_path / "cache" / identifier
        folder.mkdir(parents=True)
        (folder / "source.0badcafe.part").write_bytes(b"half")
        with serving():
            time.sleep(1)
            assert server.requests == []
            Task.update(lease_expires=0).execute()
            assert ended(identifier).error is None
    assert [path.name for path in folder.iterdir()] == ["source"]


def test_download_is_stored_when_the_storage_is_back(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays away for longer than a download may stall."""
    tried: list[float] = []

    def away(storage: Folder, identifier: str) -> None:
        tried.append(time.monotonic())
        if tried[-1] - tried[0] < 2.5:
            raise StorageUnavailableError("It does not answer.")

    monkeypatch.setattr(downloader, "STORAGE_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(Folder, "keep_download", away)
    with source(answered(SOUND)) as server, serving(stall_seconds=1.0, min_kb_per_second=10.0):
        assert ended(queued(source_url=server.url)).error is None
    assert len(server.requests) == 1 and len(tried) > 2


def test_download_that_cannot_be_stored_ends_with_its_task(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(storage: Folder, identifier: str) -> None:
        tried.append(identifier)
        if identifier == tried[0]:
            raise StorageUnavailableError("It does not answer.")

    tried: list[str] = []
    monkeypatch.setattr(downloader, "STORAGE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(Folder, "keep_download", away)
    with source(answered(SOUND)) as server, serving(parallel=1):
        identifier = queued(source_url=server.url)
        until(lambda: tried, "the storage is tried")
        Task.update(status=CANCELLED, finished_at=1.0).where(Task.uuid == identifier).execute()
        assert ended(queued(source_url=server.url)).error is None
    assert row(identifier).status == CANCELLED


def test_long_download_keeps_its_lease(serving: Serving) -> None:
    with source(slowly) as server, serving():
        identifier = queued(source_url=server.url)
        until(lambda: server.open == 1, "download started")
        for _ in range(3):
            expires = row(identifier).lease_expires
            until(lambda expires=expires: row(identifier).lease_expires > expires, "the lease is renewed")
            assert downloads.claim("other") is None
        assert row(identifier).stage == "download"


def test_outcome_is_written_when_the_database_is_back(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refusals = downloads.mark_downloaded, iter(range(3))

    def away(held: Any) -> bool:
        if next(refusals, None) is not None:
            raise OperationalError("database is locked")
        return real(held)

    monkeypatch.setattr(downloads, "mark_downloaded", away)
    with source(answered(SOUND)) as server, serving():
        assert ended(queued(source_url=server.url)).error is None
    assert len(server.requests) == 1


def test_unexpected_error_neither_ends_the_thread_nor_shows_the_url(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with source(answered(SOUND)) as server, serving(lambda host, port: {}["https://x/?secret"]):  # type: ignore[misc]
        failed = ended(queued(source_url="http://media.example/?secret"))
        assert (failed.status, failed.error_code) == (FAILED, "internal_error")
        assert ended(queued(source_url=server.url)).error is None
    monkeypatch.setattr(downloader.downloads, "clear_ended_urls", lambda: 1 / 0)
    with source(answered(SOUND)) as server, serving():
        assert ended(queued(source_url=server.url)).error is None
    assert "KeyError" in caplog.text and "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_malformed_headers_do_not_put_the_url_into_the_log(
    serving: Serving, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.core.logs import configure_logging

    handlers = logging.root.handlers[:]
    configure_logging()
    try:
        with source(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 5\r\n\r\nsound") as server, serving():
            ended(queued(source_url=f"{server.url}/?secret"))
        said = capfd.readouterr().err
    finally:
        logging.root.handlers[:] = handlers
    assert "download started" in said and "secret" not in said
