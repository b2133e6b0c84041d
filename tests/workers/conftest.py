"""Run stages and pipelines on the mini models, in the process of the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.core import settings
from app.core.db import connection
from app.core.params import TranscriptionParams
from app.factory import create_app
from app.schemas.transcription import TranscriptionParameters
from tests.service import MINI
from workers.device import slots
from workers.device.environment import prepare_environment
from workers.device.protocol import Job, Progress
from workers.device.run import Run
from workers.models.cache import WarmModels

SLOT = slots.list_slots(settings.Workers(device="cpu"))[0]
prepare_environment(SLOT)


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when it uses the network."""
    monkeypatch.setattr("requests.Session.request", lambda *_, **__: pytest.fail("the network was used"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> settings.Settings:
    folder = tmp_path_factory.mktemp("mini")
    return settings.load(
        {
            "CONFIG": str(MINI / "config.yaml"),
            "CACHE_DIR": str(folder / "cache"),
            "DB_URL": f"sqlite:///{folder / 'records.db'}",
        },
        root=folder,
    )


@pytest.fixture(scope="session")
def models(mini: settings.Settings) -> WarmModels:
    return WarmModels(SLOT, mini)


@pytest.fixture(scope="session")
def parameters(mini: settings.Settings) -> Callable[..., TranscriptionParams]:
    """The parameters of a transcription, loaded as from a request."""
    app: Flask = create_app(mini)
    connection.database.close()

    def make(**asked: Any) -> TranscriptionParams:
        with app.app_context():
            params: TranscriptionParams = TranscriptionParameters().load(asked)
        return params

    return make


@pytest.fixture
def make_run(
    mini: settings.Settings, models: WarmModels, parameters: Callable[..., TranscriptionParams]
) -> Iterator[Callable[..., Run]]:
    """A Run of a recording; its progress reports are in ``run.sent``. It gives its models back after the test."""
    made: list[Run] = []

    def make(recording: Path | str, **params: Any) -> Run:
        sent: list[Progress] = []
        job = Job("test", 1, "transcription", parameters(**params), [], os.fspath(recording))
        run = Run(job, SLOT, mini, models, sent.append)
        run.sent = sent  # type: ignore[attr-defined]
        made.append(run)
        return run

    yield make
    for run in made:
        run.models.give_back()


@pytest.fixture
def transcribed(make_run: Callable[..., Run]) -> Callable[..., tuple[list[dict[str, Any]], Run]]:
    """Transcribe a recording; return the segments and the Run."""
    from workers.pipelines import transcription

    def transcribe(recording: Path | str, **params: Any) -> tuple[list[dict[str, Any]], Run]:
        run = make_run(recording, **params)
        return json.loads(transcription.run(run)[1]), run

    return transcribe
