"""The real segmentation model finds the speech of real people, in a recording that comes with pyannote."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.detection import DetectionErrorRate

from app.core.settings import Settings
from tests import recordings
from tests.workers.conftest import SLOT
from workers.models.cache import WarmModels

PEOPLE = Path(*importlib.util.find_spec("pyannote.audio").submodule_search_locations) / "sample"  # type: ignore[union-attr]
MOST_WRONG = 0.02  # missed or false share of the speech; measured: 0.01

Stretches = list[tuple[float, float]]


@pytest.fixture(scope="module")
def heard(mini: Settings) -> Stretches:
    """The speech found in 30 s of a telephone conversation, with short pauses."""
    diarizer = WarmModels(SLOT, mini).diarizer()
    pipeline = diarizer.model
    params = pipeline.parameters(instantiated=True)
    pipeline.instantiate({**params, "segmentation": {**params["segmentation"], "min_duration_off": 0.0}})
    table = diarizer(recordings.speech(PEOPLE / "sample.wav").astype(np.float32) / 32768)
    return [(row.start, row.end) for row in table.itertuples()]


def error(stretches: Stretches) -> float:
    """Missed and false speech as a share of all speech, without a collar."""
    (truth,) = load_rttm(PEOPLE / "sample.rttm").values()
    found = Annotation()
    for number, (start, end) in enumerate(stretches):
        found[Segment(start, end), number] = "speech"
    return float(DetectionErrorRate()(truth, found))


def test_speech_of_real_people_is_detected(heard: Stretches) -> None:
    assert error(heard) <= MOST_WRONG


@pytest.mark.parametrize("seconds", [-0.2, 0.2])
def test_error_limit_detects_shifted_times(heard: Stretches, seconds: float) -> None:
    assert error([(start + seconds, end + seconds) for start, end in heard]) > 2 * MOST_WRONG


def test_error_limit_detects_a_lost_second(heard: Stretches) -> None:
    first = min(start for start, _ in heard)
    assert error([(max(start, first + 1), end) for start, end in heard if end > first + 1]) > MOST_WRONG
