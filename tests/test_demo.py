"""Demos that start at the same time use different ports; a missing recording is refused before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from demo import find_recording, free_port


def test_port_is_reserved_until_its_claim_is_closed() -> None:
    first, claim = free_port(None)
    second, other = free_port(None)
    assert first != second
    with pytest.raises(SystemExit, match=f"Port {first} is in use"):
        free_port(first)
    claim.close()
    again, claim = free_port(first)
    assert again == first
    claim.close()
    other.close()


def test_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with pytest.raises(SystemExit, match=f"Port {port} is in use"):
            free_port(port)


def test_recording_of_ones_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("my.mp3").touch()
    assert [find_recording(asked) for asked in (None, "", "my.mp3", "~/my.mp3")] == [
        None,
        None,
        *[tmp_path / "my.mp3"] * 2,
    ]
    for missing in ("your.mp3", str(tmp_path)):
        with pytest.raises(SystemExit, match=f"FILE={missing}: there is no such file"):
            find_recording(missing)
