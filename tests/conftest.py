"""Shared fixtures: one running service for the session, databases on SQLite and PostgreSQL, an app without workers."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.core import settings
from app.core.db import connection
from app.factory import create_app
from tests.postgres import Postgres, find_postgres
from tests.service import MINI, Service, running

TESTS = Path(__file__).parent
SLOW_FOLDERS = {"console", "deploy", "docs", "e2e", "faults", "models", "pipelines", "real", "server", "stages"}
SLOW_FIXTURES = {"service", "own_service", "postgres", "models"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start processes, a database server or a model as ``slow``; `make test-fast` skips them."""
    for item in items:
        assert isinstance(item, pytest.Function)
        on_postgres = getattr(item, "callspec", None) and "postgresql" in item.callspec.params.values()
        if (
            on_postgres
            or SLOW_FIXTURES & set(item.fixturenames)
            or SLOW_FOLDERS & set(item.path.relative_to(TESTS).parts)
        ):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The real service on the mini models, shared by tests that leave it as they found it."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A service for one test, which may kill and restart it."""
    with running(tmp_path) as service:
        yield service


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this session, on a free port."""
    programs = find_postgres()
    if programs is None:
        unavailable("PostgreSQL is not installed (Debian: postgresql)")
    with Postgres(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{uuid.uuid4().hex}")


@pytest.fixture
def open_database(database_url: str) -> Iterator[str]:
    """An open, empty database; the value is its address."""
    opened = connection.connect(database_url)
    yield database_url
    opened.close()


@pytest.fixture
def mini_settings(tmp_path: Path) -> settings.Settings:
    environment = {
        "CONFIG": str(MINI / "config.yaml"),
        "CACHE_DIR": str(tmp_path / "cache"),
        "DB_URL": f"sqlite:///{tmp_path / 'records.db'}",
    }
    return settings.load(environment, root=tmp_path)


@pytest.fixture
def web(mini_settings: settings.Settings) -> Iterator[Flask]:
    """The web side without workers: tasks stay queued."""
    app = create_app(mini_settings)
    app.testing = True
    yield app
    connection.database.close()


@pytest.fixture
def anywhere(mini_settings: settings.Settings, database_url: str) -> Iterator[Flask]:
    """The web side without workers, on SQLite and on PostgreSQL."""
    app = create_app(replace(mini_settings, db_url=database_url))
    app.testing = True
    yield app
    connection.database.close()


def unavailable(reason: str) -> None:
    """Skip the test, because a system program is missing. Fail in CI, where .ci/run installs all of them."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
