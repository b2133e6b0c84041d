"""A store that fails during a run costs the task nothing: it waits, and its recording stays."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.core.db import connection
from app.core.db.states import QUEUED
from app.core.params import VadParams
from app.core.settings import Settings
from app.core.storage.location import Keys
from app.core.storage.opening import open_storage
from app.core.storage.paths import SOURCE, waveform_name
from tests.app.rows import claimed, queued, row
from tests.object_store import KEYS, ObjectStoreServer
from workers.audio import listening
from workers.audio.waveform import Waveform
from workers.device.execution import execute
from workers.device.protocol import Failure, Job, Outcome, Slot
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.supervisor import settlement

SLOT = Slot(0, "cpu", None, 1)


@pytest.fixture
def settings(mini_settings: Settings, object_store: ObjectStoreServer) -> Settings:
    return object_store.settings(mini_settings)


def keep(settings: Settings, identifier: str) -> Any:
    """Store a recording; return the bucket."""
    storage = open_storage(settings)
    storage.prepare()
    part = settings.cache.path / "received"
    part.write_bytes(b"sound")
    storage.keep(part, identifier)
    return storage


def run_job(settings: Settings, identifier: str, pipeline: Any, claim_no: int = 1) -> Any:
    job: Job[Any] = Job(identifier, claim_no, "vad", VadParams(), [], f"{identifier}/{SOURCE}")
    run: Run[Any] = Run(job, SLOT, settings, WarmModels(SLOT, settings), print)
    return execute(run, SimpleNamespace(run=pipeline, MODEL_KINDS=()))


def write_stems(run: Any) -> tuple[str, str]:
    with run.storage.write_stems(*run.job.key) as folder:
        folder.mkdir()
        (folder / "vocals.wav").write_bytes(b"RIFF")
    return "filepath", "{}"


@pytest.fixture
def refuse_puts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function after whose call the store does not answer any more when an object is put."""
    from botocore.client import BaseClient
    from botocore.exceptions import EndpointConnectionError

    real = BaseClient._make_api_call

    def call(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "PutObject":
            raise EndpointConnectionError(endpoint_url="http://store")
        return real(self, operation, arguments)

    return lambda: monkeypatch.setattr(BaseClient, "_make_api_call", call)


def test_store_that_is_away_while_stems_are_stored_loses_nothing(
    settings: Settings, refuse_puts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = connection.connect(settings.db_url)
    identifier = queued()
    storage, claim = keep(settings, identifier), claimed()
    refuse_puts()
    verdict = run_job(settings, identifier, write_stems, claim.claim_no)
    assert isinstance(verdict, Failure) and verdict.code == "storage_unavailable"
    settlement.settle(settings, claim, verdict)
    assert (row(identifier).status, row(identifier).crashes) == (QUEUED, 0)
    assert storage.list_stems(identifier, claim.claim_no) == {} and not list(Path(settings.cache.path).rglob("*.wav"))
    monkeypatch.undo()
    assert isinstance(run_job(settings, identifier, write_stems, 2), Outcome)
    assert list(storage.list_stems(identifier, 2)) == ["vocals.wav"]
    opened.close()


def test_waveform_and_copy_that_cannot_be_stored_become_warnings(settings: Settings, refuse_puts: Any) -> None:
    identifier = os.urandom(16).hex()
    storage = keep(settings, identifier)
    refuse_puts()

    def store(run: Any) -> tuple[str, str]:
        listening.store_waveform(run, Waveform(listening.RATE))
        listening.store_copy(run, [np.zeros((1, listening.RATE), np.float32)])
        return "json", "[]"

    verdict = run_job(settings, identifier, store)
    assert isinstance(verdict, Outcome)
    warnings = [f"{what}: the server could not store it; see the server log" for what in ("waveform", "listening_copy")]
    assert verdict.warnings == warnings
    with pytest.raises(FileNotFoundError):
        storage.find(identifier, waveform_name())


def test_task_waits_when_the_keys_are_wrong(settings: Settings) -> None:
    identifier = os.urandom(16).hex()
    storage = keep(settings, identifier)
    storage._store._keys, storage._store._made = Keys(KEYS.access, "changed"), None
    verdict = run_job(settings, identifier, lambda _: pytest.fail("it has no recording"))
    assert isinstance(verdict, Failure) and verdict.code == "storage_unavailable"
    assert settlement.is_storage_at_fault(settings, verdict)
