"""One supervisor per SQLite database; the lock is released when its holder dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.db import connection
from app.core.errors import SettingsError
from tests.postgres import Postgres
from workers.supervisor import lock

HOLD = "import sys; from app.core.db import connection; \
from workers.supervisor import lock; connection.connect(sys.argv[1]); held = lock.acquire_lock(); \
print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'records.db'}"


def test_second_supervisor_is_refused_and_the_first_is_named(url: str, tmp_path: Path) -> None:
    opened = connection.connect(url)
    first = lock.acquire_lock()
    for _ in range(2):  # the refused attempt must not erase the name of the first supervisor
        with pytest.raises(SettingsError) as refused:
            lock.acquire_lock()
        assert f"records.db is served by process {os.getpid()} on " in str(refused.value)
    assert first is not None
    first.close()
    again = lock.acquire_lock()
    assert again is not None
    again.close()
    opened.close()


def test_symbolic_link_to_the_same_database_is_refused(url: str, tmp_path: Path) -> None:
    opened = connection.connect(url)
    first = lock.acquire_lock()
    opened.close()
    (tmp_path / "link.db").symlink_to(tmp_path / "records.db")
    opened = connection.connect(f"sqlite:///{tmp_path / 'link.db'}")
    with pytest.raises(SettingsError):
        lock.acquire_lock()
    assert first is not None
    first.close()
    opened.close()


def test_killed_holder_releases_the_lock(url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    opened = connection.connect(url)
    with pytest.raises(SettingsError, match=f"process {holder.pid} "):
        lock.acquire_lock()
    holder.kill()
    holder.communicate()
    again = lock.acquire_lock()
    assert again is not None
    again.close()
    opened.close()


def test_several_supervisors_may_share_postgresql(postgres: Postgres) -> None:
    opened = connection.connect(postgres.database("shared"))
    assert lock.acquire_lock() is None and lock.acquire_lock() is None
    opened.close()
