"""python -m app.keys creates, lists and revokes keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.db import api_keys, connection
from app.keys.__main__ import main
from tests.service import MINI, ROOT
from tests.test_architecture import MODELS, import_blocked


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG", str(MINI / "config.yaml"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DB_URL", f"sqlite:///{tmp_path / 'records.db'}")


def run(*arguments: str) -> str | None:
    return main(list(arguments))


def read_keys() -> list[Any]:
    with connection.database.connection_context():
        return api_keys.list_all()


def test_key_is_printed_once_and_alone(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_URL", database_url)
    assert run("create", "alice") is None
    printed = capsys.readouterr()
    key = printed.out.strip()
    assert printed.out == f"{key}\n" and key not in printed.err
    assert "From now on, requests need a key." in printed.err
    with connection.database.connection_context():
        found = api_keys.find([key])
    assert found is not None and found.name == "alice" and not found.is_admin
    assert run("create", "bob") is None
    assert "From now on" not in capsys.readouterr().err
    assert run("list") is None
    assert key not in capsys.readouterr().out


def test_limits_are_stored_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("create", "alice", "--max-queued", "5", "--max-audio-hours-per-day", "1.5") is None
    assert run("create", "root", "--admin", "--requests-per-minute", "60") is None
    assert run("create", "old") is None and run("revoke", "old") is None
    capsys.readouterr()
    assert run("list") is None
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["NAME", "STATE", "CREATED", "LIMITS"]
    assert lines[1][:2] == ["alice", "valid"] and " ".join(lines[1][3:]) == "5 queued, 1.5 h of audio a day"
    assert lines[2][:2] == ["old", "revoked"] and lines[2][-1] == "none"
    assert lines[3][:2] == ["root", "admin"] and " ".join(lines[3][3:]) == "60 requests a minute"
    alice = read_keys()[0]
    assert (alice.max_queued, alice.max_audio_hours_per_day, alice.requests_per_minute) == (5, 1.5, None)


def test_mistakes_are_named() -> None:
    assert run("create", "alice") is None
    assert "a key named alice" in str(run("create", "alice"))
    assert "letters, digits" in str(run("create", "a b"))
    assert "no valid key named 'bob'" in str(run("revoke", "bob"))
    assert run("revoke", "alice") is None
    assert "no valid key named 'alice'" in str(run("revoke", "alice"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create"],
        ["rename", "a"],
        ["create", "a", "--max-queued", "0"],
        ["create", "a", "--max-queued", "1.5"],
        ["create", "a", "--max-queued", "9" * 5000],
        ["create", "a", "--requests-per-minute", "-1"],
        ["create", "a", "--max-audio-hours-per-day", "nan"],
        ["create", "a", "--max-audio-hours-per-day", "inf"],
        ["create", "a", "--max-audio-hours-per-day", "0"],
        ["create", "a", "--max-audio-hours-per-day", "much"],
    ],
)
def test_impossible_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "usage: python -m app.keys" in capsys.readouterr().err


def test_database_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_URL", f"sqlite:///{tmp_path / 'missing' / 'records.db'}")
    assert "cannot be opened" in str(run("list"))


def test_command_runs_as_a_module_without_model_libraries(tmp_path: Path) -> None:
    names, _ = import_blocked(tmp_path, MODELS, "app.keys.__main__")
    assert not names & {*MODELS, "flask"}
    command = [sys.executable, "-m", "app.keys"]
    done = subprocess.run([*command, "create", "cli"], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(api_keys.PREFIX), done.stderr
    again = subprocess.run([*command, "create", "cli"], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert again.returncode == 1 and "a key named cli" in again.stderr and again.stdout == ""
