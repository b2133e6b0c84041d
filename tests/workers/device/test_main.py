"""A device process removes what runs of its machine have left, when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from app.core.storage.spool import Spool
from tests.service import ROOT

START = """
import sys
from pathlib import Path
from app.core.settings import Cache, Settings, Storage
from app.core.storage.location import Keys
from workers.device.host import Mailbox
from workers.device.main import serve_slot
from workers.device.protocol import Slot
mailbox = Mailbox()
mailbox.post(None)
bucket = Storage("s3://speech", "http://127.0.0.1:9")
settings = Settings(cache=Cache(path=Path(sys.argv[1])), storage=bucket, storage_keys=Keys("a", "b"))
serve_slot(mailbox, Slot(0, "cpu", None, 1), settings, False)
"""


def test_copies_of_crashed_runs_are_removed_at_the_start(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    old = time.time() - 120
    for name in ("crashed-1", "fresh-1"):
        spool.locate(name).mkdir(parents=True)
    os.utime(spool.locate("crashed-1"), (old, old))
    with spool.open_folder("running-1") as running:
        os.utime(running, (old, old))
        subprocess.run([sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
        assert sorted(path.name for path in running.parent.iterdir()) == ["fresh-1", "running-1"]
