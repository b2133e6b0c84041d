"""Only the named folder or the partial files of a task are removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.core.storage.paths import partial_folder, stems_folder, task_folder
from app.core.storage.removal import remove_folder, remove_partial, remove_stems


def folder(cache: Path, name: str) -> Path:
    path = cache / name
    (path / "stems").mkdir(parents=True)
    (path / "source").write_bytes(b"sound")
    (path / "stems" / "vocals.wav").write_bytes(b"half")
    return path


def test_folder_is_removed_and_its_neighbours_stay(tmp_path: Path) -> None:
    mine, other = folder(tmp_path, "mine"), folder(tmp_path, "other")
    assert remove_folder(tmp_path, "mine") and not remove_folder(tmp_path, "mine")
    assert not mine.exists() and (other / "stems" / "vocals.wav").exists()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_partial_files_are_removed_and_the_recording_stays(tmp_path: Path) -> None:
    path = folder(tmp_path, "mine")
    (path / "half.wav").write_bytes(b"half")
    outside = folder(tmp_path, "outside")
    (path / "link").symlink_to(outside)
    remove_partial(tmp_path, "mine")
    assert [left.name for left in path.iterdir()] == ["source"]
    assert (outside / "source").exists()
    remove_partial(tmp_path, "none")


def test_stems_that_a_lost_run_completes_meanwhile_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = stems_folder(tmp_path, "mine", 1)
    partial = partial_folder(stems)
    partial.mkdir(parents=True)
    (partial / "vocals.wav").write_bytes(b"whole")
    remove = shutil.rmtree

    def remove_late(path: Path) -> None:
        if partial.exists():
            partial.rename(stems)
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", remove_late)
    remove_stems(stems)
    assert list(task_folder(tmp_path, "mine").iterdir()) == []
