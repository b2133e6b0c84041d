"""Processes start, refuse to start, and stop without leftovers; tests/faults tests crashes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from tests.service import PATIENCE, ROOT, Service, free_port, promptly, running, until, write_config


def test_a_stop_lets_a_task_finish_within_drain_timeout(tmp_path: Path) -> None:
    config = write_config(tmp_path, workers={"drain_timeout": PATIENCE})
    with running(tmp_path, config=config) as service:
        identifier = service.submit()
        until(lambda: service.task(identifier)["status"] != "QUEUED", "task is claimed")
        assert service.worker is not None
        service.worker.send_signal(signal.SIGTERM)
        service.worker.wait(PATIENCE)
        assert service.task(identifier)["status"] == "COMPLETED"


def test_readiness_follows_the_supervisor(own_service: Service) -> None:
    ready = f"{own_service.url}/health/ready"
    assert requests.get(ready, timeout=30).status_code == 200
    assert own_service.worker is not None
    own_service.worker.send_signal(signal.SIGTERM)
    own_service.worker.wait(PATIENCE)
    answer = requests.get(ready, timeout=30)
    assert answer.status_code == 503 and "python -m workers" in answer.json()["message"]
    assert int(answer.headers["Retry-After"]) > 0


def test_idle_service_starts_a_task_at_once(service: Service) -> None:
    service.finished(service.submit())
    assert (
        min(service.claim_delay() for _ in range(5)) < 1.0
    )  # without a wake-up, it would wait 1.5 s for the next poll


def test_offload_frees_the_models_after_the_task(service: Service) -> None:
    service.finished(service.submit(enable_offload="true"))
    before = service.log("worker.log").count("loaded whisper")
    service.finished(service.submit())
    assert service.log("worker.log").count("loaded whisper") == before + 1
    service.finished(service.submit())
    assert service.log("worker.log").count("loaded whisper") == before + 1


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    own = Service(tmp_path)
    command = ["honcho", "start", "-p", str(own.port)]
    path = {"PATH": f"{Path(sys.executable).parent}:{own.environment['PATH']}"}
    with (tmp_path / "log").open("wb") as log:
        honcho = subprocess.Popen(command, cwd=ROOT, env=own.environment | path, stdout=log, stderr=log)
    until(own.ready, "the service is ready")
    root = psutil.Process(honcho.pid)
    until(lambda: any("spawn_main" in " ".join(each.cmdline()) for each in root.children(recursive=True)), "a device")
    family = root.children(recursive=True)
    assert len(family) >= 5
    honcho.send_signal(signal.SIGINT)
    honcho.wait(PATIENCE)
    _gone, alive = psutil.wait_procs(family, timeout=promptly(5))
    assert not alive, [process.cmdline() for process in alive]


@pytest.mark.parametrize("module", ["workers", "wsgi"])
def test_unavailable_database_refuses_to_start_in_one_line(tmp_path: Path, module: str) -> None:
    address = f"postgresql://me:secret@127.0.0.1:{free_port()}/speech"
    environment = Service(tmp_path, db_url=address).environment
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert "cannot start: the database is not available" in done.stderr
    assert "Traceback" not in done.stderr and "secret" not in done.stderr


@pytest.mark.parametrize("module", ["workers", "wsgi"])
def test_bad_settings_refuse_to_start_and_name_the_line(tmp_path: Path, module: str) -> None:
    (tmp_path / "config.yaml").write_text("whisper:\n  model_sise: tiny\n")
    environment = {**Service(tmp_path).environment, "CONFIG": str(tmp_path / "config.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert "config.yaml, line 2: whisper.model_sise is not a setting" in done.stderr
    assert "Traceback" not in done.stderr
