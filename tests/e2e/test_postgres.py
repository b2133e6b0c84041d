"""The service on PostgreSQL: NOTIFY wakes it, and it survives a restart of the database server."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import requests

from tests import recordings
from tests.postgres import Postgres
from tests.service import SAMPLE, promptly, running, until


def test_a_recording_is_transcribed_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    with running(tmp_path, db_url=postgres.database("transcribed")) as service:
        done = service.finished(service.submit(initial_prompt="hello"))
        assert done["status"] == "COMPLETED" and done["result"]
        assert (
            min(service.claim_delay() for _ in range(5)) < 1.0
        )  # without NOTIFY, it would wait 1.5 s for the next poll


def test_service_survives_a_database_restart(tmp_path: Path, postgres: Postgres) -> None:
    long = recordings.wav(tmp_path / "long.wav", np.concatenate([recordings.speech(SAMPLE)] * 15))
    with running(tmp_path, db_url=postgres.database("restarted")) as service:
        identifier = service.submit(long)
        until(lambda: service.task(identifier)["status"] == "IN_PROGRESS", "claimed")
        postgres.stop()
        answer = requests.get(f"{service.url}/task/{identifier}", timeout=30)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
        assert service.post().status_code == 503
        time.sleep(3)
        postgres.start()
        until(lambda: requests.get(f"{service.url}/task/{identifier}", timeout=30).status_code == 200, "answers again")
        assert service.finished(identifier)["status"] == "COMPLETED"
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert service.task(identifier)["result"]


def test_running_task_is_cancelled_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    long = recordings.wav(tmp_path / "long.wav", np.concatenate([recordings.speech(SAMPLE)] * 150))
    with running(tmp_path, db_url=postgres.database("cancelled")) as service:
        identifier = service.submit(long, beam_size="10")
        until(lambda: service.task(identifier)["stage"] == "transcribe", "task is being transcribed")
        (process,) = service.device_processes()
        assert requests.post(f"{service.url}/task/{identifier}/cancel", timeout=30).status_code == 202
        stopped = f"task {identifier} was cancelled"
        until(lambda: stopped in service.log("worker.log"), "its run is stopped", promptly(5))
        assert service.task(identifier)["status"] == "CANCELLED"
        assert service.finished(service.submit())["status"] == "COMPLETED"
        assert service.device_processes() == [process]
        assert requests.delete(f"{service.url}/task/{identifier}", timeout=30).status_code == 204
