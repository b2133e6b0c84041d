"""Free space is measured on the disk of a folder, existing or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.core.storage.space import has_space


@pytest.mark.parametrize(("incoming", "enough"), [(0, True), (600, True), (601, False)])
def test_incoming_bytes_must_leave_the_minimum_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, incoming: int, enough: bool
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert has_space(tmp_path, 400, incoming) is enough


def test_missing_folder_is_not_created(tmp_path: Path) -> None:
    assert has_space(tmp_path / "cache" / "incoming", 0)
    assert list(tmp_path.iterdir()) == []
