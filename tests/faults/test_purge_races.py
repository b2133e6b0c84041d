"""The purge runs during tasks and downloads: live tasks keep their files, and an open download is completed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import requests

from tests import recordings
from tests.faults.faulty import faulty
from tests.faults.injection import HOLD
from tests.service import SAMPLE, until

TTL = 8


def test_purge_spares_a_running_task_and_an_open_download(tmp_path: Path) -> None:
    recording = recordings.wav(tmp_path / "long.wav", np.concatenate([recordings.speech(SAMPLE)] * 20))
    with faulty(tmp_path / "service", cache={"ttl": TTL, "frequency": 1}) as service:
        service.start()
        identifier = service.post("/bgm-separation", recording).json()["identifier"]
        task = service.finished(identifier)
        (stem, _) = task["result"]["files"]
        url = f"{service.url}/task/{identifier}/file/{stem['name']}"
        with requests.get(url, stream=True, timeout=30) as download:
            assert download.status_code == 200
            received = len(next(download.iter_content(1000)))
            service.inject("transcribe", HOLD)
            running = service.submit(save_file="true")
            service.wait_for_stage(running, "transcribe")
            until(lambda: not (service.cache / identifier).exists(), "the files are purged")
            time.sleep(TTL)
            assert (service.cache / running / "source").exists(), "older than the ttl, but the task is running"
            received += sum(len(block) for block in download.iter_content(65_536))
        assert received == stem["size"] > 1_000_000
        gone = requests.get(url, timeout=30)
        assert gone.status_code == 410 and "T" in gone.json()["message"]
        service.clear_faults()
        ended = service.finished(running)
        assert (ended["status"], ended["attempt"]) == ("COMPLETED", 1)
