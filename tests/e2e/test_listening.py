"""What a player gets from the real service: the recording, its waveform, and a copy where it needs one."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests import recordings
from tests.service import SAMPLE, Service


def test_player_gets_recording_waveform_and_copy(service: Service, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    path = recordings.encoded(tmp_path / "a.aiff", sound, "pcm_s16be", "aiff")
    task = service.finished(service.post("/vad", path, params={"listening_copy": "auto"}).json()["identifier"])
    address = f"{service.url}/task/{task['identifier']}"
    assert task["warnings"] == [] and task["file_name"] == "a.aiff"

    recording = requests.get(f"{address}/recording", timeout=30)
    assert recording.content == path.read_bytes()
    assert recording.headers["Content-Type"] == "application/octet-stream"
    waveform = requests.get(f"{address}/waveform", timeout=30).json()
    seconds = waveform["length"] * waveform["samples_per_pixel"] / waveform["sample_rate"]
    assert seconds == pytest.approx(task["audio_duration"], abs=0.1)
    assert len(waveform["data"]) == 2 * waveform["length"] and max(waveform["data"]) > 10
    copy = requests.get(f"{address}/recording?copy=true", timeout=30)
    assert copy.headers["Content-Type"] == "audio/mpeg"
    (tmp_path / "copy.mp3").write_bytes(copy.content)
    assert len(recordings.speech(tmp_path / "copy.mp3")) == pytest.approx(len(sound), abs=3000)

    again = requests.post(f"{address}/again", timeout=30).json()["identifier"]
    assert service.finished(again)["result"] == task["result"]


def test_common_recording_is_sent_with_its_type(service: Service) -> None:
    identifier = service.post("/vad", SAMPLE, params={"listening_copy": "auto"}).json()["identifier"]
    service.finished(identifier)
    address = f"{service.url}/task/{identifier}/recording"
    assert requests.get(address, timeout=30).headers["Content-Type"] == "audio/flac"
    assert requests.get(f"{address}?copy=true", timeout=30).status_code == 404
