"""The language is detected from the beginning of a recording, without decoding the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core import settings
from app.core.errors import SpeechError
from app.core.languages import NAMES
from app.core.params import DetectLanguageParams
from tests import recordings
from tests.recordings import RATE
from tests.service import SAMPLE, SAMPLES
from tests.workers.conftest import SLOT
from workers.audio.decode import SampleBuffer
from workers.device.execution import execute
from workers.device.protocol import Job, Outcome
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.pipelines import detect_language

GERMAN = SAMPLES / "german.flac"
Detected = Callable[..., tuple[dict[str, Any], Run[DetectLanguageParams]]]


@pytest.fixture
def make_run(mini: settings.Settings, models: WarmModels) -> Callable[..., Run[DetectLanguageParams]]:
    def make(recording: Path, **asked: Any) -> Run[DetectLanguageParams]:
        given = {"model_size": "mini", "compute_type": "int8", "enable_offload": False} | asked
        job = Job("test", 1, "detect_language", DetectLanguageParams(**given), [], str(recording))
        return Run(job, SLOT, mini, models, lambda progress: None)

    return make


@pytest.fixture
def detected(make_run: Callable[..., Run[DetectLanguageParams]]) -> Detected:
    def detect(recording: Path, **asked: Any) -> tuple[dict[str, Any], Run[DetectLanguageParams]]:
        run = make_run(recording, **asked)
        kind, text = detect_language.run(run)
        result = json.loads(text)
        assert kind == "json" and set(result) == {"language_code", "language", "confidence"}
        assert NAMES[result["language_code"]] == result["language"] and 0 <= result["confidence"] <= 1
        assert run.facts["language"] == result["language_code"] and run.facts.keys() == {"language", "media_type"}
        return result, run

    return detect


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all blocks that are decoded."""
    lengths: list[int] = []
    add = SampleBuffer.add

    def noted(self: SampleBuffer, block: Any) -> None:
        lengths.append(len(block))
        add(self, block)

    monkeypatch.setattr(SampleBuffer, "add", noted)
    return lengths


@pytest.mark.parametrize(("path", "code", "name"), [(SAMPLE, "en", "english"), (GERMAN, "de", "german")])
def test_language_is_named_with_its_probability(detected: Detected, path: Path, code: str, name: str) -> None:
    result, run = detected(path)
    assert (result["language_code"], result["language"]) == (code, name) and result["confidence"] > 0.5
    assert run.warnings == []


def test_only_the_beginning_is_decoded(detected: Detected, decoded: list[int], tmp_path: Path) -> None:
    path = tmp_path / "film.pcm"
    path.write_bytes(np.resize(recordings.speech(GERMAN), 600 * RATE).tobytes())
    assert detected(path, raw_pcm=True)[0]["language_code"] == "de"
    assert sum(decoded) <= 62 * RATE


def test_speech_is_looked_for_behind_a_long_silence(detected: Detected, decoded: list[int], tmp_path: Path) -> None:
    sound = np.concatenate([recordings.silence(200), np.resize(recordings.speech(GERMAN), 400 * RATE)])
    result, run = detected(recordings.wav(tmp_path / "a.wav", sound))
    assert result["language_code"] == "de" and run.warnings == []
    assert sum(decoded) < 300 * RATE


def test_more_windows_hear_more_speech(detected: Detected, decoded: list[int], tmp_path: Path) -> None:
    english, german = recordings.speech(SAMPLE), recordings.speech(GERMAN)
    mixed = np.concatenate([np.resize(english, 30 * RATE), np.resize(german, 90 * RATE)])
    path = recordings.wav(tmp_path / "a.wav", mixed)
    assert detected(path, language_detection_threshold=1.0)[0]["language_code"] == "en"
    asked = {"language_detection_segments": 3, "language_detection_threshold": 1.0}
    assert detected(path, **asked)[0]["language_code"] == "de"
    asked = {"language_detection_segments": 3, "language_detection_threshold": 0.01}
    assert detected(path, **asked)[0]["language_code"] == "en"


@pytest.mark.parametrize("samples", [1, 100, 20 * RATE])
def test_silence_gives_a_guess_and_a_warning(detected: Detected, tmp_path: Path, samples: int) -> None:
    result, run = detected(recordings.wav(tmp_path / "a.wav", np.zeros(samples, np.int16)))
    assert result["language_code"] in NAMES
    assert run.warnings == ["No speech was heard: the language is a guess."]


def test_a_recording_without_sound_fails(detected: Detected, tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as caught:
        detected(recordings.video(tmp_path / "a.mp4", None))
    assert caught.value.code == "no_audio"


def test_a_model_of_one_language_says_that_nothing_was_detected(
    detected: Detected, models: WarmModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.whisper("mini", "int8")

    class English:
        is_multilingual = False

    monkeypatch.setattr(model, "model", English())
    result, run = detected(GERMAN)
    assert result["language_code"] == "en"
    assert run.warnings == ["The language was not detected: model mini supports English only."]


def test_the_model_is_freed_on_request(
    make_run: Callable[..., Run[DetectLanguageParams]], mini: settings.Settings
) -> None:
    models = WarmModels(SLOT, mini)
    for offload in (False, True):
        job = make_run(SAMPLE, enable_offload=offload).job
        assert isinstance(execute(Run(job, SLOT, mini, models, lambda progress: None), detect_language), Outcome)
        assert bool(models._kept["whisper"]) is not offload
