"""speech transcribe --watch: new recordings of a folder, once they are complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.watch import Watch
from tests.app.cli.conftest import BAD, SRT, Served, Worker, until
from tests.app.posting import rows
from tests.service import ROOT


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


def test_growing_file_is_left_alone_until_it_rests(folder: Path) -> None:
    clock = Clock()
    watch = Watch(folder, 5.0, clock=clock)
    for size in (0, 1, 2, 3):
        (folder / "a.wav").write_bytes(b"x" * size)
        assert watch.take_complete() == []
        clock.now += 4.0
    clock.now += 0.9
    assert watch.take_complete() == []
    clock.now += 0.2
    assert names(watch.take_complete()) == ["a.wav"]
    clock.now += 100.0
    assert watch.take_complete() == []


def test_replaced_file_is_taken_again(folder: Path) -> None:
    clock = Clock()
    watch = Watch(folder, 5.0, clock=clock)
    for content in ("a", "another"):
        (folder / "a.wav").write_text(content)
        assert watch.take_complete() == []
        clock.now += 6.0
        assert names(watch.take_complete()) == ["a.wav"]
    (folder / "a.wav").unlink()
    assert watch.take_complete() == []
    (folder / "a.wav").write_text("another")
    assert watch.take_complete() == []
    clock.now += 6.0
    assert names(watch.take_complete()) == ["a.wav"]


@pytest.mark.parametrize("name", [".a.wav", "a.wav.part", "a.mp4.crdownload", "a.srt", "a.JSON", "a.textgrid", "empty"])
def test_other_files_are_not_recordings(folder: Path, name: str) -> None:
    clock = Clock()
    watch = Watch(folder, 5.0, ["textgrid"], clock)
    (folder / name).write_bytes(b"" if name == "empty" else b"x")
    (folder / "sub").mkdir()
    watch.take_complete()
    clock.now += 60.0
    assert watch.take_complete() == []


def watch_folder(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app.cli", "transcribe", "--watch", str(folder), "--settle", "0.2"]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def test_new_recordings_are_transcribed_also_after_a_restart(worker: Worker, served: Served, folder: Path) -> None:
    (folder / "a.wav").write_text("a")
    first = watch_folder(folder)
    until((folder / "a.srt").exists, "the first recording is transcribed")
    worker.paused.set()
    (folder / "b.wav").write_text("b")
    until(lambda: len(rows()) == 2, "the second recording is submitted")
    until(lambda: served.requests[-1] == f"GET /task/{rows()[1].uuid}", "the task is noted and followed")
    first.send_signal(signal.SIGTERM)
    assert "1 transcribed, 1 not finished" in first.communicate(timeout=30)[1] and first.returncode == 0
    worker.paused.clear()
    second = watch_folder(folder)
    until((folder / "b.srt").exists, "the second recording is finished")
    (folder / "bad.wav").write_bytes(BAD)
    until(lambda: [row.status for row in rows()][2:] == ["FAILED"], "the third recording fails")
    until(lambda: served.requests[-1] == f"GET /task/{rows()[2].uuid}", "the failure is read")
    second.send_signal(signal.SIGINT)
    said = second.communicate(timeout=30)[1]
    assert second.returncode in (0, 1) and "1 transcribed, 1 skipped" in said
    assert (folder / "b.srt").read_text() == SRT
    assert served.uploads == len(rows()) == 3
