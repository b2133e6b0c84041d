"""Both kinds of storage, with a place of their own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.core.storage.opening import open_storage
from app.core.storage.storage import Storage
from tests.object_store import ObjectStoreServer

Part = Callable[[bytes], Path]
DATABASE = "0" * 32


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, mini_settings: Settings) -> Storage:
    """An empty storage: a folder, and a bucket."""
    settings = mini_settings
    if request.param == "bucket":
        server: ObjectStoreServer = request.getfixturevalue("object_store")
        settings = server.settings(settings)
    opened = open_storage(settings)
    opened.prepare()
    opened.claim(DATABASE)
    return opened


@pytest.fixture
def bucket(object_store: ObjectStoreServer, mini_settings: Settings) -> Storage:
    """An empty bucket."""
    opened = open_storage(object_store.settings(mini_settings))
    opened.prepare()
    opened.claim(DATABASE)
    return opened


@pytest.fixture
def part(mini_settings: Settings) -> Part:
    """Make a received file in cache/incoming/."""

    def make(content: bytes) -> Path:
        path = mini_settings.cache.path / "incoming" / f"{uuid.uuid4().hex}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


def new() -> str:
    return str(uuid.uuid4())


def soon() -> float:
    """A time after all that was written before; the store's times may be those of whole seconds."""
    return time.time() + 5
