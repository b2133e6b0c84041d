"""The disk is full: uploads are refused and leave no file, and a task without room for its result runs again."""

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
SHARED_MB = 256  # Docker gives a container 64 MB, enough for these tests
FLOOR_MB = 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system to fill: mounted for the test, or the /dev/shm of a container."""
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
        unavailable(
            "no small file system: mounting one needs root and CAP_SYS_ADMIN, and /dev/shm is missing or too large"
        )
    with tempfile.TemporaryDirectory(dir=SHARED) as shared:
        yield Path(shared)


@contextlib.contextmanager
def service_on(disk: Path, folder: Path) -> Iterator[FaultyService]:
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


def test_upload_to_a_full_disk_is_refused_and_leaves_no_file(disk: Path, tmp_path: Path) -> None:
    with service_on(disk, tmp_path) as service:
        recording = recordings.wav(tmp_path / "a.wav", np.zeros(6 * MEBIBYTE, np.int16))  # 12 MB
        others = fill(disk, leave_mb=14)  # room for the recording, but not for min_free_mb as well
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


def test_task_runs_again_when_the_disk_is_too_full_for_its_files(disk: Path, tmp_path: Path) -> None:
    with service_on(disk, tmp_path) as service:
        recording = recordings.wav(tmp_path / "a.wav", recordings.speech(SAMPLE))
        first = service.inject("separate", HOLD)
        identifier = service.post("/bgm-separation", recording).json()["identifier"]
        service.wait_for_stage(identifier, "separate")
        others = fill(disk, leave_mb=0.05)
        second = service.inject("separate", HOLD)
        first.unlink()
        until(lambda: happened(second), "the task runs again")
        assert service.count_log_lines(f"task {identifier} requeued .insufficient_storage") == 1
        assert sorted(path.name for path in (service.cache / identifier).iterdir()) == ["source"]
        others.unlink()
        service.clear_faults()
        task = service.finished(identifier)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)
        for file in task["result"]["files"]:
            answer = requests.get(f"{service.url}/task/{identifier}/file/{file['name']}", timeout=30)
            assert (answer.status_code, len(answer.content)) == (200, file["size"])


def test_task_fails_after_three_runs_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    with service_on(disk, tmp_path) as service:
        service.inject("separate", HOLD)
        identifier = service.post("/bgm-separation").json()["identifier"]
        service.wait_for_stage(identifier, "separate")
        fill(disk, leave_mb=0.05)
        service.clear_faults()
        task = service.finished(identifier)
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "insufficient_storage", 3)
        assert requests.get(f"{service.url}/task/file/{identifier}", timeout=10).status_code == 404
