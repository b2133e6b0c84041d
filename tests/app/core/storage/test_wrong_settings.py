"""Which setting is wrong is named, at the start or as an outage; a store that says nothing keeps no client waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.core.storage import s3_client, store_probe
from app.core.storage.location import Keys
from app.core.storage.opening import open_storage
from app.core.storage.paths import SOURCE
from app.core.storage.s3_client import Patience
from app.core.storage.storage import Storage, StorageUnavailableError
from tests.app.core.storage.conftest import Part, new
from tests.object_store import BUCKET, KEYS, ObjectStoreServer
from tests.service import free_port


def wrong(settings: Settings, place: dict[str, str], keys: Keys = KEYS) -> Settings:
    return replace(settings, storage=replace(settings.storage, **place), storage_keys=keys)


@pytest.mark.parametrize(
    ("place", "keys", "says"),
    [
        ({}, Keys("unknown", "secret"), "correct AWS_ACCESS_KEY_ID"),
        ({}, Keys(KEYS.access, "wrong"), "correct AWS_SECRET_ACCESS_KEY"),
        (
            {"url": "s3://no-such-bucket/here"},
            Keys("admin", "admin"),
            "There is no bucket no-such-bucket; create it, or",
        ),
        ({"url": "s3://no-such-bucket/here"}, KEYS, "storage.url"),
    ],
)
def test_wrong_setting_is_named_and_stops_the_start(
    object_store: ObjectStoreServer, mini_settings: Settings, place: dict[str, str], keys: Keys, says: str, part: Part
) -> None:
    storage = open_storage(wrong(object_store.settings(mini_settings), place, keys))
    assert says in str(storage.find_outage())
    with pytest.raises(SettingsError, match=says):
        storage.prepare()
    received = part(b"sound")
    with pytest.raises(StorageUnavailableError) as failed:
        storage.keep(received, new())
    assert says in failed.value.reason and received.exists()
    assert "wrong" not in failed.value.reason and "secret" not in failed.value.message


PAGES = {"wrong path": (404, b"<html>No"), "web page": (200, b"<html><body>Hi</body></html>")}


@pytest.fixture(params=PAGES)
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a web server that is no store."""
    status, page = PAGES[request.param]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else page)

        do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_web_server_that_is_no_store_is_refused_and_keeps_nothing(
    mini_settings: Settings, stranger: str, part: Part
) -> None:
    storage: Any = open_storage(wrong(mini_settings, {"url": f"s3://{BUCKET}", "endpoint": stranger}))
    assert "not an S3 store" in storage._probe.write_and_read().reason
    assert f"{stranger} is not an S3 store; correct storage.endpoint" in str(storage.find_outage())
    with pytest.raises(SettingsError, match="not an S3 store"):
        storage.prepare()
    received = part(b"sound")
    with pytest.raises((StorageUnavailableError, FileNotFoundError)):
        storage.keep(received, new())
    assert received.exists()


def test_missing_keys_are_named(
    object_store: ObjectStoreServer, mini_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    storage = open_storage(wrong(object_store.settings(mini_settings), {}, Keys()))
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(storage.find_outage())


def test_clock_that_is_off_is_named(
    object_store: ObjectStoreServer, mini_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.auth

    storage = open_storage(object_store.settings(mini_settings))
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: now(*a, **k) - timedelta(minutes=20))
    assert "The clock of this machine is off" in str(storage.find_outage())
    with pytest.raises(SettingsError, match="set the clock"):
        storage.prepare()


def test_store_that_does_not_answer_delays_no_start(
    object_store: ObjectStoreServer, mini_settings: Settings, part: Part
) -> None:
    place = {"url": f"s3://{BUCKET}", "endpoint": f"http://127.0.0.1:{free_port()}"}
    storage = open_storage(wrong(mini_settings, place))
    began = time.monotonic()
    storage.prepare()
    assert "does not answer (storage.endpoint)" in str(storage.find_outage())
    received = part(b"sound")
    with pytest.raises(StorageUnavailableError):
        storage.keep(received, new())
    storage.discard(new())
    assert received.exists() and time.monotonic() - began < 30


def test_store_that_accepts_connections_and_says_nothing_is_an_outage(
    object_store: ObjectStoreServer, mini_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_probe, "SHORT", Patience(1.0, 0.2, 1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = {"url": f"s3://{BUCKET}", "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        storage = open_storage(wrong(mini_settings, place))
        assert "does not answer (storage.endpoint): ReadTimeoutError" in str(storage.find_outage())


def test_client_does_not_wait_long_for_a_silent_store(
    object_store: ObjectStoreServer, mini_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3_client.BRIEF.attempts * (s3_client.BRIEF.answer + 0.5) <= 10
    monkeypatch.setattr(s3_client, "BRIEF", Patience(0.2, 0.2, 1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = {"url": f"s3://{BUCKET}", "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        storage, began = open_storage(wrong(mini_settings, place)), time.monotonic()
        reads: list[Callable[[], object]] = [
            lambda: storage.find(new(), SOURCE),
            lambda: storage.list_stems(new(), 1),
            lambda: storage.remove(new()),
            lambda: storage.remove_upload("token"),
        ]
        for read in reads:
            with pytest.raises(StorageUnavailableError):
                read()
        storage.discard(*(new() for _ in range(100)))
    assert time.monotonic() - began < 10


def test_storage_that_does_not_answer_is_asked_once_about_many_tasks(
    bucket: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def fail(identifier: str) -> bool:
        asked.append(identifier)
        raise OSError("no") if len(asked) == 1 else StorageUnavailableError("It does not answer.")

    monkeypatch.setattr(bucket, "remove", fail)
    bucket.discard("first", "second", "third")
    assert asked == ["first", "second"] and "It does not answer." in caplog.text


@pytest.mark.parametrize(("code", "setting"), [("PermanentRedirect", "AWS_REGION"), ("AccessDenied", "rights"),
                                               ("ExpiredToken", "AWS_SESSION_TOKEN"), ("SlowDown", "SlowDown")])  # fmt: skip
def test_other_refusals_are_explained(
    bucket: Storage, monkeypatch: pytest.MonkeyPatch, code: str, setting: str
) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    def refuse(self: Any, operation: str, arguments: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    assert setting in str(bucket.find_outage())
