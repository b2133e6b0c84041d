"""A file is replaced as a whole or not at all, and what a claim has not completed is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.storage.durable import replace_file
from app.core.storage.paths import listening_folder, partial_file, waveform_path
from app.core.storage.removal import remove_partial_files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "task").mkdir()
    return waveform_path(tmp_path, "task")


def test_file_appears_once_it_is_complete(path: Path) -> None:
    for text in ("first", "second"):
        partial = partial_file(path, 2)
        with replace_file(path, partial):
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text and list(path.parent.iterdir()) == [path]


def test_failed_replacement_leaves_the_file_as_it_was(path: Path) -> None:
    partial = partial_file(path, 1)
    with replace_file(path, partial):
        partial.write_text("first")
    with pytest.raises(ValueError, match="broken"), replace_file(path, partial):
        partial.write_text("half")
        raise ValueError("broken")
    assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]


def test_folder_of_a_deleted_task_is_not_made_again(tmp_path: Path) -> None:
    path = waveform_path(tmp_path, "deleted")
    with pytest.raises(FileNotFoundError), replace_file(path, partial_file(path, 1)):
        pytest.fail("there is no folder to write to")
    assert list(tmp_path.iterdir()) == []


def test_only_what_one_claim_left_is_removed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    for name in (path, partial_file(path, 1), partial_file(path, 11), partial_file(path.with_name("copy.mp3"), 1)):
        name.write_text("half")
    folder = listening_folder(tmp_path, "task")
    remove_partial_files(folder, 1)
    assert sorted(each.name for each in folder.iterdir()) == ["source.json", partial_file(path, 11).name]
    remove_partial_files(tmp_path / "none", 1)
