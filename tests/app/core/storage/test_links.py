"""A recording is given to another task without a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.storage.links import link_recording


def test_linked_recording_outlives_the_first(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"sound")
    link_recording(tmp_path / "first", tmp_path / "task")
    assert (tmp_path / "task" / "source").samefile(tmp_path / "first")
    (tmp_path / "first").unlink()
    assert (tmp_path / "task" / "source").read_bytes() == b"sound"


def test_missing_recording_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        link_recording(tmp_path / "first", tmp_path / "task")
    assert list(tmp_path.iterdir()) == []
