"""Tasks whose recording is not downloaded yet: held by one downloader, claimed by no device; their URL is deleted."""

from __future__ import annotations

import pytest

from app.core.db import claims, connection, downloads, retention, tasks
from app.core.db.downloads import DownloadClaim
from app.core.db.states import CANCELLED, FAILED, QUEUED
from app.core.db.tasks import Claim, Task
from tests.app.rows import queued, row

pytestmark = pytest.mark.usefixtures("open_database")

URL = "https://media.example/a.wav?sig=secret"


def submitted(url: str | None = URL) -> str:
    return queued(source_url=url)


def held(holder: str = "me") -> DownloadClaim:
    claimed = downloads.claim(holder)
    assert claimed is not None and claimed[1] == URL
    return claimed[0]


def test_device_claims_only_downloaded_recordings() -> None:
    waiting, here = submitted(), submitted(url=None)
    claimed = claims.claim("device")
    assert claimed is not None and claimed.uuid == here
    assert claims.claim("device") is None
    assert downloads.mark_downloaded(held())
    claimed = claims.claim("device")
    assert claimed is not None and claimed.uuid == waiting
    assert (claimed.source_url, claimed.holder, claimed.claim_no) == (None, "device", 1)


def test_downloads_are_claimed_once_in_order() -> None:
    first, _, second = submitted(), submitted(url=None), submitted()
    assert [held("a").uuid, held("b").uuid] == [first, second]
    assert downloads.claim("a") is None


def test_download_progress_never_falls() -> None:
    identifier = submitted()
    mine = held()
    assert (row(identifier).status, row(identifier).stage) == (QUEUED, "download")
    assert downloads.report(mine, 0.5)
    downloads.report(mine, 0.2)
    assert row(identifier).progress == pytest.approx(downloads.SHARE / 2)
    downloads.mark_downloaded(mine)
    assert (row(identifier).stage, row(identifier).progress) == (None, pytest.approx(downloads.SHARE))


def test_failed_download_fails_the_task_and_deletes_the_url() -> None:
    identifier = submitted()
    mine = held()
    assert downloads.fail(mine, "download_failed", "The server answered 404.")
    failed = row(identifier)
    assert (failed.status, failed.error_code, failed.error) == (FAILED, "download_failed", "The server answered 404.")
    assert failed.finished_at is not None
    assert "secret" not in str(failed.__data__)
    assert not downloads.fail(mine, "x", "y") and not downloads.mark_downloaded(mine)
    assert retention.list_purgeable(-1, 10) == [identifier]


def test_expired_download_is_taken_over_and_its_first_holder_changes_nothing() -> None:
    identifier = submitted()
    stale = held("first")
    assert downloads.claim("second") is None
    Task.update(lease_expires=0).execute()
    fresh = held("second")
    assert (
        not downloads.mark_downloaded(stale)
        and not downloads.fail(stale, "x", "y")
        and not downloads.report(stale, 0.5)
    )
    assert downloads.renew("first") == set()
    assert row(identifier).status == QUEUED
    assert downloads.mark_downloaded(fresh)


def test_renewal_extends_and_returns_only_held_downloads() -> None:
    kept, cancelled, theirs = submitted(), submitted(), submitted()
    held(), held(), held("them")
    Task.update(lease_expires=0).execute()
    Task.update(status=CANCELLED).where(Task.uuid == cancelled).execute()
    assert downloads.renew("me") == {kept}
    claimed = downloads.claim("other")
    assert claimed is not None and claimed[0].uuid == theirs
    assert downloads.claim("other") is None


def test_released_download_can_be_claimed_at_once() -> None:
    identifier = submitted()
    held("stopping")
    assert downloads.release("stopping") == 1
    assert (row(identifier).stage, row(identifier).holder) == (None, None)
    assert held("next").uuid == identifier


def test_url_of_a_cancelled_task_is_deleted() -> None:
    cancelled, waiting = submitted(), submitted()
    Task.update(status=CANCELLED).where(Task.uuid == cancelled).execute()
    assert downloads.clear_ended_urls() == 1
    assert downloads.clear_ended_urls() == 0
    assert (row(cancelled).source_url, row(waiting).source_url) == (None, URL)


def test_running_tasks_are_not_downloads() -> None:
    submitted(url=None)
    claimed = claims.claim("me")
    assert claimed is not None
    assert downloads.renew("me") == set() and downloads.release("me") == 0 and downloads.claim("me") is None
    assert tasks.complete(Claim(claimed.uuid, claimed.claim_no, "me"), "json", "[]", [], 1.0)


def test_downloads_are_found_by_an_index(database_url: str) -> None:
    query, parameters = Task.select(Task.id, Task.status).where(Task.source_url.is_null(False)).sql()
    if not database_url.startswith("sqlite"):
        connection.database.execute_sql("SET enable_seqscan = off")  # PostgreSQL would scan an empty table
    explain = "EXPLAIN QUERY PLAN" if database_url.startswith("sqlite") else "EXPLAIN"
    plan = str(connection.database.execute_sql(f"{explain} {query}", parameters).fetchall())
    assert "task_source_url" in plan
