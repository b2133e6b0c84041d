"""Voice activity detection on the real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import recordings
from tests.service import MINI, Service

TALK = MINI / "samples" / "short.flac"
REFERENCE = json.loads(TALK.with_suffix(".json").read_text())


def searched(service: Service, recording: Path | bytes, **params: str) -> dict[str, Any]:
    """Run /vad over ``recording``; return the finished task."""
    answer = service.post("/vad", recording, params=params)
    assert answer.status_code == 201, answer.text
    return service.finished(answer.json()["identifier"])


def test_speech_of_a_recording_is_found(service: Service) -> None:
    done = searched(service, TALK, min_silence_duration_ms="500", speech_pad_ms="0")
    assert (done["status"], done["task_type"], done["result_type"]) == ("COMPLETED", "vad", "json")
    assert all(set(stretch) == {"start", "end"} for stretch in done["result"])
    assert len(done["result"]) == len(REFERENCE["turns"])
    assert done["result"][0]["start"] == pytest.approx(REFERENCE["turns"][0]["start"], abs=0.3)
    assert (done["language"], done["progress"], done["warnings"]) == (None, 1.0, [])
    assert done["task_params"] == {
        "threshold": 0.5,
        "min_speech_duration_ms": 250,
        "max_speech_duration_s": None,
        "min_silence_duration_ms": 500,
        "speech_pad_ms": 0,
        "vad_filter": True,
        "audio_track": None,
        "raw_pcm": False,
        "listening_copy": "off",
    }


def test_silence_holds_no_speech(service: Service, tmp_path: Path) -> None:
    silent = recordings.wav(tmp_path / "a.wav", recordings.silence(5))
    done = searched(service, silent)
    assert (done["status"], done["result"]) == ("COMPLETED", [])


def test_nan_samples_give_times_inside_the_recording(service: Service, tmp_path: Path) -> None:
    sound = recordings.speech(TALK).astype(np.float32) / 32768
    sound[::1000], sound[1::1000] = np.nan, np.inf
    done = searched(service, recordings.float_wav(tmp_path / "a.wav", sound))
    assert done["status"] == "COMPLETED" and done["result"], done
    assert all(0 <= stretch["start"] < stretch["end"] <= done["audio_duration"] for stretch in done["result"])
