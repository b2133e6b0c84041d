"""One SQLite ledger, one supervisor: the second one is told who serves, and the lock dies with its holder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.ledger import db
from tests.postgres import Postgres
from workers import alone

HOLD = "import sys; from app.ledger import db; from workers import alone; \
db.connect(sys.argv[1]); lock = alone.hold(); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'records.db'}"


def test_second_supervisor_is_refused_and_told_who_serves(url: str, tmp_path: Path) -> None:
    opened = db.connect(url)
    first = alone.hold()
    for _ in range(2):  # being refused must not wipe out the first one's name
        with pytest.raises(SettingsError) as refused:
            alone.hold()
        assert f"records.db is served by process {os.getpid()} on " in str(refused.value)
    assert first is not None
    first.close()
    again = alone.hold()
    assert again is not None
    again.close()
    opened.close()


def test_another_way_to_the_same_ledger_is_refused_too(url: str, tmp_path: Path) -> None:
    opened = db.connect(url)
    first = alone.hold()
    opened.close()
    (tmp_path / "link.db").symlink_to(tmp_path / "records.db")
    opened = db.connect(f"sqlite:///{tmp_path / 'link.db'}")
    with pytest.raises(SettingsError):
        alone.hold()
    assert first is not None
    first.close()
    opened.close()


def test_killed_holder_leaves_nothing_behind(url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    opened = db.connect(url)
    with pytest.raises(SettingsError, match=f"process {holder.pid} "):
        alone.hold()
    holder.kill()
    holder.communicate()
    lock = alone.hold()
    assert lock is not None
    lock.close()
    opened.close()


def test_several_may_serve_on_postgresql(postgres: Postgres) -> None:
    opened = db.connect(postgres.database("shared"))
    assert alone.hold() is None and alone.hold() is None
    opened.close()
