"""Folders of the spool are removed by those who made them, or when no process uses them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from app.core.storage.spool import Spool
from tests.service import ROOT, until

HOLD = """
import sys, time
from pathlib import Path
from app.core.storage.spool import Spool
with Spool(Path(sys.argv[1])).open_folder("theirs") as folder:
    (folder / "source").touch()
    time.sleep(60)
"""


def test_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.open_folder("mine") as folder:
        (folder / "source").touch()
        assert folder == spool.locate("mine")
    assert list((tmp_path / "spool").iterdir()) == []


def test_only_what_a_crash_has_left_is_swept(tmp_path: Path) -> None:
    spool, later = Spool(tmp_path), time.time() + 60
    theirs = spool.locate("theirs")
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT)
    try:
        until((theirs / "source").exists, "the other process has its folder", every=0.01)
        assert spool.sweep(later) == 0 and theirs.exists()
    finally:
        process.kill()
        process.wait()
    assert spool.sweep(time.time() - 60) == 0 and theirs.exists()
    assert spool.sweep(later) == 1 and not theirs.exists()


def test_folder_left_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.locate("mine").mkdir(parents=True)
    (spool.locate("mine") / "half").touch()
    with spool.open_folder("mine") as folder:
        assert list(folder.iterdir()) == []
