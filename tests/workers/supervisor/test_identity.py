"""A supervisor's name shows whether it is dead; one that may be alive is never called dead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from workers.supervisor.identity import is_provably_dead, make_name

NODE, BOOT, NAMESPACE, PID, START = range(5)


def altered(place: int, value: str, start: str = "1") -> str:
    """A name with one part altered; no process of this machine started right after boot."""
    parts = make_name().split("/")
    parts[START] = start
    parts[place] = value
    return "/".join(parts)


def name_of_another(wait: bool) -> tuple[str, subprocess.Popen[str]]:
    """Start a process that prints its own name and ends when its input is closed."""
    code = "import sys; from workers.supervisor.identity import make_name; print(make_name(), flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    name = other.stdout.readline().strip()
    if wait:
        other.communicate()
    return name, other


def test_living_processes_are_not_dead() -> None:
    name, other = name_of_another(wait=False)
    try:
        assert not is_provably_dead(make_name())
        assert not is_provably_dead(name)
    finally:
        other.communicate()


def test_ended_process_is_dead() -> None:
    name, _ = name_of_another(wait=True)
    assert is_provably_dead(name)


def test_zombie_process_is_dead() -> None:
    name, other = name_of_another(wait=False)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
    assert is_provably_dead(name)
    other.communicate()


def test_reused_pid_does_not_hide_a_death() -> None:
    assert is_provably_dead(altered(START, "1"))


@pytest.mark.parametrize(
    "unknown",
    [
        lambda: altered(BOOT, "00000000"),
        lambda: altered(NAMESPACE, "1"),
        lambda: altered(BOOT, "-"),
        lambda: altered(START, "-"),
        lambda: altered(PID, "many"),
        lambda: "",
        lambda: "host:17:0a1b2c3d",  # the format of earlier versions
        lambda: "/" * 20,
    ],
    ids=["boot", "namespace", "no boot id", "no start time", "pid", "empty", "old", "slashes"],
)
def test_unknown_process_is_not_reported_dead(unknown: Callable[[], str]) -> None:
    assert not is_provably_dead(unknown())


def test_names_are_unique_and_fit_their_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "a/very/long/" + "x" * 300)
    assert make_name() != make_name()
    assert len(make_name()) <= 128 and not is_provably_dead(make_name())
