"""A service with another database neither starts on a bucket nor removes anything from it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from app.core.storage.ownership import MARK, claim_bucket, find_owner
from app.core.storage.storage import Storage, StorageUnavailableError
from app.factory import create_app
from tests.app.core.storage.conftest import DATABASE, Part, new, soon
from tests.object_store import ObjectStoreServer
from tests.service import free_port

OTHER = "1" * 32


def test_other_database_does_not_start_and_sweeps_nothing(bucket: Any, part: Part) -> None:
    identifier = new()
    bucket.keep(part(b"sound"), identifier)
    with pytest.raises(SettingsError, match="another database; correct DB_URL"):
        bucket.claim(OTHER)
    for sweep in (bucket.list_abandoned, bucket.list_uploads, bucket.sweep):
        with pytest.raises(StorageUnavailableError):
            sweep(soon())
    bucket.claim(DATABASE)
    assert bucket.list_abandoned(soon()) == [identifier]


def test_web_side_with_an_empty_database_refuses_the_bucket_of_another(
    object_store: ObjectStoreServer, mini_settings: Settings
) -> None:
    settings = object_store.settings(mini_settings)
    create_app(settings)
    create_app(settings)  # a second start
    with pytest.raises(SettingsError, match="another prefix"):
        create_app(replace(settings, db_url=settings.db_url.replace("records", "renamed")))


def test_nothing_is_swept_before_the_owner_is_known(
    object_store: ObjectStoreServer, mini_settings: Settings, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = object_store.settings(mini_settings)
    ours, theirs = (
        open_storage(settings),
        open_storage(replace(settings, limits=replace(settings.limits, min_free_mb=1))),
    )
    assert theirs is not ours
    ours.claim(DATABASE)
    ours.keep(part(b"sound"), new())
    probe: Any = theirs._probe  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:  # the store does not answer at the start
        gone = replace(probe._hurried.location, endpoint=f"http://127.0.0.1:{free_port()}")
        patched.setattr(probe._hurried, "location", gone)
        theirs.prepare()
        theirs.claim(OTHER)
    probe._hurried._made = None
    with pytest.raises(StorageUnavailableError):
        theirs.list_abandoned(soon())
    assert "another database" in str(theirs.find_outage())


def test_processes_that_start_at_once_make_one_mark(bucket: Any) -> None:
    bucket._store.remove(MARK)
    refused: list[str] = []

    def start(database: str) -> None:
        try:
            claim_bucket(bucket._store, bucket._store, database)
        except StorageUnavailableError:
            refused.append(database)

    threads = [threading.Thread(target=start, args=(f"{number:032}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    owner = find_owner(bucket._store)
    assert owner is not None and sorted([*refused, owner]) == [f"{number:032}" for number in range(8)]


def test_mark_is_made_in_a_store_without_conditional_puts(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    real = BaseClient._make_api_call

    def refuse(self: Any, operation: str, arguments: Any) -> Any:
        if "IfNoneMatch" in arguments:
            raise ClientError({"Error": {"Code": "NotImplemented", "Message": "no"}}, operation)
        return real(self, operation, arguments)

    bucket._store.remove(MARK)
    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    claim_bucket(bucket._store, bucket._store, OTHER)
    assert find_owner(bucket._store) == OTHER


def test_mark_is_no_file_of_a_task(bucket: Storage) -> None:
    assert bucket.list_abandoned(soon()) == [] and bucket.list_uploads(soon()) == []
