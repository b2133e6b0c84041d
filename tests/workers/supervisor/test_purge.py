"""Files are removed after their ttl; those of unfinished tasks never."""

from __future__ import annotations

import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.db import claims, retention, tasks
from app.core.db.connection import database, read_clock
from app.core.db.states import COMPLETED
from app.core.db.tasks import Claim, Task
from app.core.settings import Cache, Settings, Tasks
from app.core.storage.folder import Folder
from app.core.storage.opening import open_storage
from app.core.storage.storage import StorageUnavailableError
from tests.app.rows import stored_result
from tests.object_store import ObjectStoreServer
from tests.service import running, until, write_config
from workers.supervisor import purge
from workers.supervisor.clock_jumps import ClockWatch

pytestmark = pytest.mark.usefixtures("open_database")

DAY = 86_400.0
Kept = Callable[[], str]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    folder = tmp_path / "cache"
    (folder / "incoming").mkdir(parents=True)
    return Cache(path=folder, ttl=600, frequency=1)


@pytest.fixture
def kept(cache: Cache) -> Iterator[Kept]:
    def submitted() -> str:
        identifier = str(uuid.uuid4())
        (cache.path / identifier).mkdir()
        (cache.path / identifier / "source").write_bytes(b"sound")
        tasks.submit(identifier, "transcription", {}, "a.wav", [])
        return identifier

    yield submitted


def finish(identifier: str, seconds_ago: float) -> None:
    row = claims.claim("me")
    assert row is not None and row.uuid == identifier
    tasks.complete(Claim(identifier, row.claim_no, "me"), "json", "[]", [], 1.0)
    Task.update(finished_at=Task.finished_at - seconds_ago).where(Task.uuid == identifier).execute()


def test_files_of_finished_tasks_are_removed_and_the_result_stays(cache: Cache, kept: Kept) -> None:
    identifier = kept()
    finish(identifier, seconds_ago=601)
    assert purge.purge_finished(Folder(cache.path), cache) == 1
    assert not (cache.path / identifier).exists()
    row = tasks.get(identifier)
    assert row is not None and row.status == COMPLETED
    assert stored_result(identifier) == "[]"
    assert row.files_purged_at is not None
    assert purge.purge_finished(Folder(cache.path), cache) == 0


def test_files_of_fresh_queued_and_running_tasks_stay(cache: Cache, kept: Kept) -> None:
    fresh = kept()
    finish(fresh, seconds_ago=1)
    running = kept()
    claims.claim("me")
    queued = kept()
    Task.update(created_at=Task.created_at - 100_000).execute()
    assert purge.purge_finished(Folder(cache.path), cache) == 0
    assert purge.purge_abandoned(Folder(cache.path), cache, now=lambda: time.time() + 100_000) == 0
    for identifier in (fresh, running, queued):
        assert (cache.path / identifier / "source").exists()


def test_abandoned_uploads_and_folders_without_a_task_are_removed(cache: Cache) -> None:
    orphan = cache.path / str(uuid.uuid4())
    orphan.mkdir()
    part = cache.path / "incoming" / "tmpx.part"
    part.write_bytes(b"half")
    other = cache.path / "notes"
    other.mkdir()
    assert purge.purge_abandoned(Folder(cache.path), cache) == 0
    assert purge.purge_abandoned(Folder(cache.path), cache, now=lambda: time.time() + 3700) == 2
    assert not orphan.exists() and not part.exists() and other.exists()


def test_a_long_ttl_keeps_uploads_longer(cache: Cache) -> None:
    part = cache.path / "incoming" / "tmpx.part"
    part.write_bytes(b"half")
    patient = dataclasses.replace(cache, ttl=100_000)
    assert purge.purge_abandoned(Folder(patient.path), patient, now=lambda: time.time() + 3700) == 0
    assert part.exists()


def test_folder_left_by_an_interrupted_purge_is_removed(cache: Cache, kept: Kept) -> None:
    identifier = kept()
    finish(identifier, seconds_ago=601)
    retention.mark_purged(identifier)  # before the folder was removed, the power failed
    (cache.path / "incoming" / "x.trash").mkdir()
    assert purge.purge_abandoned(Folder(cache.path), cache) == 0
    assert purge.purge_abandoned(Folder(cache.path), cache, now=lambda: time.time() + 3700) == 2
    assert not (cache.path / identifier).exists() and list((cache.path / "incoming").iterdir()) == []


def test_open_file_survives_the_purge(cache: Cache, kept: Kept) -> None:
    identifier = kept()
    finish(identifier, seconds_ago=601)
    with (cache.path / identifier / "source").open("rb") as reading:
        purge.purge_finished(Folder(cache.path), cache)
        assert reading.read() == b"sound"


def test_rows_are_kept_unless_a_ttl_is_set(cache: Cache, kept: Kept) -> None:
    identifier, running = kept(), kept()
    finish(identifier, seconds_ago=10**9)
    claims.claim("me")
    assert purge.delete_expired(Folder(cache.path), Tasks()) == 0
    assert purge.delete_expired(Folder(cache.path), Tasks(ttl=10**9 + 1000)) == 0
    assert tasks.get(identifier) is not None
    assert purge.delete_expired(Folder(cache.path), Tasks(ttl=3600)) == 1
    assert tasks.get(identifier) is None and not (cache.path / identifier).exists()
    assert tasks.get(running) is not None and (cache.path / running).exists()


@pytest.mark.parametrize("jump", [0.0, DAY])
def test_clock_jump_right_after_the_check_purges_nothing(cache: Cache, kept: Kept, jump: float) -> None:
    """The watch reads the clocks before they jump; the purge looks for old tasks and files afterwards."""
    identifier, orphan = kept(), cache.path / str(uuid.uuid4())
    finish(identifier, seconds_ago=DAY)
    orphan.mkdir()
    os.utime(orphan, (time.time() - DAY,) * 2)
    watch = ClockWatch((lambda: read_clock() - jump, lambda: time.time() - jump))
    database.close()
    purge._run(Folder(cache.path), cache, Tasks(ttl=3600), watch)
    database.connect()
    kept_all = bool(jump)
    assert (tasks.get(identifier) is not None, (cache.path / identifier).exists(), orphan.exists()) == (kept_all,) * 3


def test_purge_survives_an_outage_of_the_storage_and_goes_on_later(
    cache: Cache, kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(storage: Folder, identifier: str) -> bool:
        raise StorageUnavailableError("The store does not answer.")

    identifier = kept()
    finish(identifier, seconds_ago=601)
    watch = ClockWatch((read_clock, time.time))
    with monkeypatch.context() as outage:
        outage.setattr(Folder, "remove", away)
        outage.setattr(Folder, "find_outage", lambda _: "The store does not answer.")
        purge._run(Folder(cache.path), cache, Tasks(), watch)
    assert "purge interrupted: The store does not answer." in caplog.text and (cache.path / identifier).exists()
    database.connect(reuse_if_open=True)
    purge.purge_abandoned(Folder(cache.path), cache, now=lambda: time.time() + 3700)
    assert not (cache.path / identifier).exists()


def test_files_that_the_store_keeps_do_not_stop_the_purge(
    cache: Cache, kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = kept(), kept()
    for identifier in (first, second):
        finish(identifier, seconds_ago=601)
    real = Folder.remove

    def refuse(storage: Folder, identifier: str) -> bool:
        if identifier == first:
            raise StorageUnavailableError("The object is locked.")
        return real(storage, identifier)

    monkeypatch.setattr(Folder, "remove", refuse)
    assert purge.purge_finished(Folder(cache.path), cache) == 2
    assert (cache.path / first).exists() and not (cache.path / second).exists()
    assert f"{first}: files cannot be removed" in caplog.text and "The object is locked." in caplog.text


def test_recordings_in_a_bucket_wait_a_day_for_their_rows(
    object_store: ObjectStoreServer, mini_settings: Settings
) -> None:
    storage = open_storage(object_store.settings(mini_settings))
    storage.prepare()
    storage.claim("0" * 32)
    for keep, name in ((storage.keep, str(uuid.uuid4())), (storage.keep_upload, "u" * 43)):
        part = mini_settings.cache.path / "received"
        part.write_bytes(b"sound")
        keep(part, name)
    cache, at = mini_settings.cache, time.time()
    for passed, removed in ((DAY - 60, 0), (DAY + 60, 1)):
        later = at + passed
        assert purge.purge_uploads(storage, cache, at, later) == removed
        assert purge.purge_abandoned(storage, cache, lambda later=later: later) == removed  # type: ignore[misc]


def test_supervisor_runs_the_purge_schedule(tmp_path: Path) -> None:
    config = write_config(tmp_path, cache={"ttl": 1, "frequency": 1})
    with running(tmp_path, config=config) as service:
        identifier = service.submit()
        assert service.finished(identifier)["status"] == "COMPLETED"
        until(lambda: not (service.cache / identifier).exists(), "files purged")
        assert service.task(identifier)["result"]
