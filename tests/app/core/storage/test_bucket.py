"""A bucket keeps a recording whole or not at all, sweeps only what is its own, and leaves nothing on the local disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import SpeechError
from app.core.settings import Settings
from app.core.storage import object_reader
from app.core.storage import object_store as object_store_module
from app.core.storage.opening import open_storage
from app.core.storage.own_names import is_stored
from app.core.storage.ownership import MARK
from app.core.storage.paths import COPY_NAME, SOURCE
from app.core.storage.storage import Storage, StorageUnavailableError
from tests.app.core.storage.conftest import DATABASE, Part, new, soon
from tests.object_store import BUCKET, ObjectStoreServer

MEBIBYTE = 1024 * 1024
LARGE = 40 * MEBIBYTE  # uploaded in several parts


def local(settings: Settings) -> list[str]:
    """The files below cache/."""
    return sorted(str(p.relative_to(settings.cache.path)) for p in settings.cache.path.rglob("*") if p.is_file())


def download(bucket: Storage, identifier: str, at: float) -> Path:
    """Make a folder with a recording that was downloaded at that time."""
    folder = bucket.locate_download(identifier)
    folder.mkdir()
    (folder / SOURCE).write_bytes(b"sound")
    for path in (folder / SOURCE, folder):
        os.utime(path, (at, at))
    return folder


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], list[str]]:
    """Let the process "die" at the n-th request to the store, before or after the store has handled it."""
    from botocore.client import BaseClient

    real = BaseClient._make_api_call

    def interrupt(number: int, after: bool) -> list[str]:
        made: list[str] = []

        def call(self: Any, operation: str, arguments: Any) -> Any:
            made.append(operation)
            if len(made) < number:
                return real(self, operation, arguments)
            if len(made) == number and after:
                real(self, operation, arguments)
            raise ConnectionAbortedError("the process is dead")

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        return made

    return interrupt


@pytest.mark.parametrize("after", [False, True])
def test_interrupted_upload_is_whole_or_absent(
    bucket: Storage, part: Part, interrupting: Callable[[int, bool], list[str]], after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = []
    for number in range(1, 8):  # create, three parts, complete, look at its size
        identifier, received = new(), part(b"x" * LARGE)
        interrupting(number, after)
        done = True
        try:
            bucket.keep(received, identifier)
        except ConnectionAbortedError:
            done = False
        monkeypatch.undo()
        try:
            size = bucket.find(identifier, SOURCE).read_size()
        except FileNotFoundError:
            size = None
        assert size in (None, LARGE) and (size == LARGE or not done)
        assert received.exists() != done
        found.append(size)
    assert found[0] is None and found[-1] == LARGE
    assert [size is not None for size in found].index(True) == (4 if after else 5)


def test_large_recording_is_copied_in_parts_each_of_which_is_answered_soon(
    bucket: Storage, part: Part, interrupting: Callable[[int, bool], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store_module, "COPIED_BYTES", 8 * MEBIBYTE)
    content, first, second = os.urandom(20 * MEBIBYTE), new(), new()
    bucket.keep(part(content), first)
    made = interrupting(1000, False)
    bucket.copy_recording(first, second)
    assert made.count("UploadPartCopy") == 3 and "CopyObject" not in made
    with bucket.find(second, SOURCE).open() as file:
        assert file.read() == content


def test_parts_of_interrupted_uploads_are_removed_after_a_day(bucket: Any, object_store: ObjectStoreServer) -> None:
    client, location = object_store.make_client(), bucket._store.location
    begun = client.create_multipart_upload(Bucket=BUCKET, Key=f"{location.prefix}{new()}/source")
    client.upload_part(
        Bucket=BUCKET, Key=begun["Key"], UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * 5 * MEBIBYTE
    )
    assert bucket.sweep(time.time()) == 0
    now = datetime.now(timezone.utc)
    assert bucket._store.abort_uploads(now - timedelta(minutes=1), is_stored) == 0
    assert bucket._store.abort_uploads(now + timedelta(minutes=1), is_stored) == 1
    assert bucket._store.abort_uploads(now + timedelta(minutes=1), is_stored) == 0


def test_tasks_of_another_prefix_are_not_seen(
    bucket: Storage, object_store: ObjectStoreServer, mini_settings: Settings, part: Part
) -> None:
    other = open_storage(object_store.settings(mini_settings))
    other.claim(DATABASE)
    identifier = new()
    bucket.keep(part(b"sound"), identifier)
    assert other.list_abandoned(time.time() + 5) == [] and not other.remove(identifier)
    with pytest.raises(FileNotFoundError):
        other.find(identifier, SOURCE)
    assert bucket.remove(identifier)


def test_objects_of_others_are_never_swept(bucket: Any, object_store: ObjectStoreServer) -> None:
    client, prefix = object_store.make_client(), bucket._store.location.prefix
    foreign = [
        "uploads/2024/interview.wav",
        "uploads/list",
        f"uploads/{new()}/source",
        "check/list.txt",
        "notes/source",
    ]
    for key in foreign:
        client.put_object(Bucket=BUCKET, Key=f"{prefix}{key}", Body=b"mine")
    begun = client.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}uploads/{new()}/source")
    assert bucket.sweep(soon()) == 0 and bucket.list_uploads(soon()) == [] and bucket.list_abandoned(soon()) == []
    assert bucket._store.abort_uploads(datetime.now(timezone.utc) + timedelta(minutes=1), is_stored) == 0
    assert sorted(object_store.list_keys(f"s3://{BUCKET}/{prefix[:-1]}")) == sorted([*foreign, MARK])
    client.abort_multipart_upload(Bucket=BUCKET, Key=begun["Key"], UploadId=begun["UploadId"])


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Let the store refuse an operation on keys that end in a name."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    real = BaseClient._make_api_call

    def refuse(operation: str, end: str) -> None:
        def call(self: Any, asked: str, arguments: Any) -> Any:
            if asked == operation and arguments.get("Key", "").endswith(end):
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
            return real(self, asked, arguments)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)

    return refuse


def test_sweep_needs_no_right_to_list_unfinished_uploads(
    bucket: Any, part: Part, refusing: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    received = part(b"half")
    bucket._store.put_bytes(b"", f"check/{'0' * 32}")
    refusing("ListMultipartUploads", "")
    assert bucket.sweep(soon()) == 2 and not received.exists()
    assert "parts of uploads that never ended cannot be removed" in caplog.text


def test_object_that_cannot_be_removed_does_not_keep_the_others(
    bucket: Any, refusing: Callable[[str, str], None]
) -> None:
    identifier = new()
    for name in ("a.wav", "b.wav", "c.wav"):
        bucket._store.put_bytes(b"", f"{identifier}/stems-1/{name}")
    refusing("DeleteObject", "a.wav")
    with pytest.raises(StorageUnavailableError):
        bucket.remove(identifier)
    assert list(bucket.list_stems(identifier, 1)) == ["a.wav"]


def test_more_than_a_thousand_objects_are_listed(bucket: Any) -> None:
    identifier = new()
    for number in range(1005):
        bucket._store.put_bytes(b"", f"{identifier}/stems-1/{number:04}.wav")
    assert len(bucket.list_stems(identifier, 1)) == 1005
    assert bucket.remove(identifier) and bucket.list_stems(identifier, 1) == {}


# --- the local disk ---


def test_nothing_stays_on_the_local_disk(bucket: Storage, part: Part, mini_settings: Settings) -> None:
    identifier = new()
    bucket.keep(part(b"sound"), identifier)
    assert local(mini_settings) == []
    with bucket.borrow(bucket.locate(identifier), identifier, 3, lambda: None):
        with bucket.write_stems(identifier, 3) as folder:
            folder.mkdir()
            (folder / "vocals.wav").write_bytes(b"RIFF")
        with bucket.write_file(identifier, 3, COPY_NAME) as path:
            path.write_bytes(b"ID3")
        spool = f"spool/{identifier}-3"
        assert local(mini_settings) == [f"{spool}/source", f"{spool}/stems-3/vocals.wav"]
    assert local(mini_settings) == []
    download = bucket.locate_download(identifier)
    download.mkdir()
    (download / SOURCE).write_bytes(b"sound")
    bucket.keep_download(identifier)
    assert local(mini_settings) == []


def test_failed_run_leaves_nothing(bucket: Storage, part: Part, mini_settings: Settings) -> None:
    identifier = new()
    bucket.keep(part(b"sound"), identifier)
    with (
        pytest.raises(RuntimeError),
        bucket.borrow(bucket.locate(identifier), identifier, 1, lambda: None),
        bucket.write_stems(identifier, 1) as folder,
    ):
        folder.mkdir()
        (folder / "vocals.wav").write_bytes(b"RIFF")
        raise RuntimeError("the model broke")
    assert local(mini_settings) == [] and bucket.list_stems(identifier, 1) == {}


def test_removal_of_a_claim_takes_what_its_killed_run_has_left(bucket: Any) -> None:
    identifier = new()
    left = bucket._spool.locate(f"{identifier}-1")
    left.mkdir(parents=True)
    with bucket._spool.open_folder(f"{identifier}-2") as used:
        bucket.remove_claim(identifier, 1)
        bucket.remove_claim(identifier, 2)
        assert not left.exists() and used.exists()


def test_files_that_are_being_stored_for_long_are_not_swept(
    bucket: Any, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, old = bucket._store.put, time.time() - 7200

    def put_slowly(path: Path, key: str) -> None:
        os.utime(path, (old, old))
        os.utime(path.parent, (old, old))
        assert bucket.sweep(time.time() - 3600) == 0
        real(path, key)

    monkeypatch.setattr(bucket._store, "put", put_slowly)
    bucket.keep(part(b"sound"), new())
    bucket.keep_upload(part(b"sound"), new())
    download(bucket, identifier := new(), old)
    bucket.keep_download(identifier)


def test_download_that_waits_for_the_store_is_not_swept(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailableError("It does not answer.")

    waiting = download(bucket, identifier := new(), time.time() - 7200)
    with monkeypatch.context() as away:
        away.setattr(bucket._store, "put", fail)
        with pytest.raises(StorageUnavailableError):
            bucket.keep_download(identifier)
    assert bucket.sweep(time.time() - 3600) == 0 and waiting.exists()
    assert bucket.sweep(soon()) == 1 and not waiting.exists()


def test_stopped_run_ends_its_download(bucket: Storage, part: Part, mini_settings: Settings) -> None:
    identifier, checks = new(), iter(range(4))
    bucket.keep(part(b"x" * 4 * MEBIBYTE), identifier)

    def check() -> None:
        if next(checks, None) is None:
            raise InterruptedError("stopped")

    with pytest.raises(InterruptedError), bucket.borrow(bucket.locate(identifier), identifier, 1, check):
        pytest.fail("the download has not been stopped")
    assert local(mini_settings) == []


def test_recording_larger_than_the_free_space_is_not_downloaded(
    object_store: ObjectStoreServer, mini_settings: Settings, part: Part
) -> None:
    full = replace(mini_settings, limits=replace(mini_settings.limits, min_free_mb=10**9))
    bucket, identifier = open_storage(object_store.settings(full)), new()
    bucket.keep(part(b"sound"), identifier)
    with pytest.raises(SpeechError) as failed, bucket.borrow(bucket.locate(identifier), identifier, 1, lambda: None):
        pytest.fail("there is no room")
    assert failed.value.code == "insufficient_storage" and local(mini_settings) == []


@pytest.mark.parametrize(("number", "code"), [(13, "storage_unavailable"), (28, "insufficient_storage")])
def test_disk_of_one_machine_that_fails_is_not_the_fault_of_the_task(
    bucket: Storage, part: Part, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    identifier = new()
    bucket.keep(part(b"sound"), identifier)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, "The disk is bad")

    for method in ("mkdir", "open"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, method, fail)
            with (
                pytest.raises(SpeechError) as failed,
                bucket.borrow(bucket.locate(identifier), identifier, 1, lambda: None),
            ):
                pytest.fail("the disk is bad")
        assert failed.value.code == code
    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(SpeechError) as failed, bucket.write_stems(identifier, 1):
        pytest.fail("the disk is bad")
    assert failed.value.code == code


def test_removal_runs_in_the_background(bucket: Storage) -> None:
    done: list[int] = []
    bucket.run_removal(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    bucket.run_removal(lambda: done.append(1))
    deadline = time.monotonic() + 10
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)
    assert done == [1]


def test_sweep_is_not_due_again_at_once(bucket: Storage) -> None:
    assert [bucket.is_sweep_due(), bucket.is_sweep_due()] == [True, False]


# --- reading ---


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Break the connection after each 100 kB that are read, as often as the list says."""
    from botocore.response import StreamingBody

    real, left = StreamingBody.read, [0]

    def read(self: Any, amt: int | None = None) -> bytes:
        if left[0] and self._amount_read >= 100_000:
            left[0] -= 1
            raise ConnectionResetError("the cable is cut")
        return bytes(real(self, amt))

    monkeypatch.setattr(StreamingBody, "read", read)
    yield left


def test_broken_connection_is_made_again_where_it_broke(bucket: Storage, part: Part, breaking: list[int]) -> None:
    content, identifier = os.urandom(900_000), new()
    bucket.keep(part(content), identifier)
    breaking[0] = 5
    with bucket.find(identifier, SOURCE).open() as file:
        assert file.read() == content
    assert breaking[0] == 0


def test_connection_that_stays_broken_is_an_outage(
    bucket: Storage, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = new()
    bucket.keep(part(b"sound"), identifier)
    file = bucket.find(identifier, SOURCE)

    def broken(*_: Any) -> Any:
        raise ConnectionResetError("the cable is cut")

    monkeypatch.setattr(object_reader.ObjectReader, "_read", broken)
    with pytest.raises(StorageUnavailableError, match="storage_unavailable"), file.open() as opened:
        opened.read()


def test_file_that_was_replaced_is_not_mixed(bucket: Storage, part: Part) -> None:
    identifier = new()
    bucket.keep(part(b"x" * 9 * MEBIBYTE), identifier)
    with bucket.find(identifier, SOURCE).open() as file:
        file.read(10)
        bucket.keep(part(b"y" * 9 * MEBIBYTE), identifier)
        file.seek(8 * MEBIBYTE + 10)
        with pytest.raises(FileNotFoundError):
            file.read()
