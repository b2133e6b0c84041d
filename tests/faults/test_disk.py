"""The disk is full: uploads are refused in time and leave nothing, a result is tried again until its files are there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from tests import recordings
from tests.conftest import unavailable
from tests.faults.faulty import FaultyService, faulty
from tests.faults.injection import HOLD, happened
from tests.service import SAMPLE, until

MEBIBYTE = 1024 * 1024
DISK_MB = 40
SHARED = Path("/dev/shm")
SHARED_MB = 256  # Docker gives a container 64 MB, which hold what these tests store
FLOOR_MB = 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system that may be filled: one mounted for the test, or a container's own /dev/shm."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    if not SHARED.is_dir() or shutil.disk_usage(SHARED).total > SHARED_MB * MEBIBYTE:
        unavailable("no small file system: mounting one takes root and CAP_SYS_ADMIN, and /dev/shm is missing or large")
    with tempfile.TemporaryDirectory(dir=SHARED) as shared:
        yield Path(shared)


@contextlib.contextmanager
def on(disk: Path, folder: Path) -> Iterator[FaultyService]:
    with faulty(folder / "service", limits={"min_free_mb": FLOOR_MB}) as service:
        service.cache = disk / "cache"
        service.environment["CACHE_DIR"] = str(service.cache)
        service.start()
        yield service


def fill(disk: Path, leave_mb: float) -> Path:
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    path = disk / "others"
    with path.open("ab") as file:
        file.write(b"\0" * int(free - leave_mb * MEBIBYTE))
    return path


def test_fault_9_full_disk_refuses_uploads_and_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    with on(disk, tmp_path) as service:
        recording = recordings.wav(tmp_path / "a.wav", np.zeros(6 * MEBIBYTE, np.int16))  # 12 MB
        others = fill(disk, leave_mb=14)  # room for the recording, but not above the floor
        refused = service.post(recording=recording)
        assert refused.status_code == 507 and refused.json()["code"] == 507
        assert list((service.cache / "incoming").glob("*")) == []
        assert requests.get(f"{service.url}/health/ready", timeout=10).status_code == 200
        others.unlink()
        others = fill(disk, leave_mb=FLOOR_MB - 1)
        assert service.post().status_code == 507
        answer = requests.get(f"{service.url}/health/ready", timeout=10)
        assert answer.status_code == 503 and f"{FLOOR_MB} MB" in answer.json()["message"]
        others.unlink()
        assert service.finished(service.submit())["status"] == "COMPLETED"


def test_fault_10_disk_full_on_a_result_it_is_tried_again_and_never_completed_without_its_files(
    disk: Path, tmp_path: Path
) -> None:
    with on(disk, tmp_path) as service:
        recording = recordings.wav(tmp_path / "a.wav", recordings.speech(SAMPLE))
        first = service.order("separate", HOLD)
        identifier = service.post("/bgm-separation", recording).json()["identifier"]
        service.reached(identifier, "separate")
        others = fill(disk, leave_mb=0.05)
        second = service.order("separate", HOLD)
        first.unlink()
        until(lambda: happened(second), "it is tried again")
        assert service.said(f"task {identifier} requeued .insufficient_storage") == 1
        assert sorted(path.name for path in (service.cache / identifier).iterdir()) == ["source"]
        others.unlink()
        service.call_off()
        task = service.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)
        for file in task["result"]["files"]:
            answer = requests.get(f"{service.url}/task/{identifier}/file/{file['name']}", timeout=30)
            assert (answer.status_code, len(answer.content)) == (200, file["size"])


def test_fault_10_disk_that_stays_full_ends_the_task_after_three_tries(disk: Path, tmp_path: Path) -> None:
    with on(disk, tmp_path) as service:
        service.order("separate", HOLD)
        identifier = service.post("/bgm-separation").json()["identifier"]
        service.reached(identifier, "separate")
        fill(disk, leave_mb=0.05)
        service.call_off()
        task = service.finished(identifier)
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "insufficient_storage", 3)
        assert requests.get(f"{service.url}/task/file/{identifier}", timeout=10).status_code == 404
