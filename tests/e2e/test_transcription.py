"""Transcription on the real processes: a recording gives a transcript with times."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jiwer
import numpy as np
import psutil
import pytest
import requests

from tests import recordings
from tests.service import SAMPLE, Service

REFERENCE = json.loads(SAMPLE.with_suffix(".json").read_text())
FIELDS = {
    "identifier", "status", "task_type", "result_type", "result", "task_params", "error", "error_code", "warnings",
    "stage", "progress", "duration", "audio_duration", "language", "queue_position", "eta_seconds", "attempt", "created_at",
    "started_at", "finished_at", "speaker_embeddings", "webhook", "revision", "speaker_names", "speaker_turns", "file_name",
    "files_expire_at", "files_purged_at",
}  # fmt: skip


def test_transcript_matches_the_reference(service: Service) -> None:
    done = service.finished(service.submit())
    assert set(done) == FIELDS
    assert (done["status"], done["task_type"], done["result_type"]) == ("COMPLETED", "transcription", "json")
    said = " ".join(segment["text"] for segment in done["result"])
    assert jiwer.wer(REFERENCE["text"], said) <= 0.15
    assert (done["language"], done["progress"], done["stage"], done["queue_position"]) == ("en", 1.0, None, None)
    assert done["audio_duration"] == pytest.approx(REFERENCE["duration"], abs=0.01)
    assert 0 < done["duration"] < 60
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert done["created_at"].endswith("Z")


def test_words_are_ordered_inside_their_segment(service: Service) -> None:
    segments = service.finished(service.submit())["result"]
    assert segments
    for segment in segments:
        times = [time for word in segment["words"] for time in (word["start"], word["end"])]
        assert times and [segment["start"], *times, segment["end"]] == sorted(
            [segment["start"], *times, segment["end"]]
        )


def test_polling_client_of_the_first_version_works(service: Service) -> None:
    with SAMPLE.open("rb") as recording:
        identifier = requests.post(f"{service.url}/transcription", files={"file": recording}, timeout=60).json()[
            "identifier"
        ]
    result = None
    for _ in range(2400):
        task = requests.get(f"{service.url}/task/{identifier}", timeout=30).json()
        if task["status"] == "COMPLETED":
            result = task["result"]
            break
        assert task["status"] != "FAILED", task
        time.sleep(0.1)
    assert result


def test_parameters_reach_the_run(service: Service) -> None:
    identifier = service.submit(word_timestamps="false", chunk_length="4", beam_size="1")
    done = service.finished(identifier)
    assert done["result"] and all(segment["words"] == [] for segment in done["result"])
    assert (done["task_params"]["chunk_length"], done["task_params"]["beam_size"]) == (4, 1)
    assert done["task_params"]["model_size"] == "mini"


def test_parameters_without_effect_are_reported(service: Service) -> None:
    done = service.finished(service.submit(num_speakers="2", max_initial_timestamp="0.5", hf_token="hf_secret"))
    warnings = " ".join(done["warnings"])
    assert all(name in warnings for name in ("num_speakers", "max_initial_timestamp", "hf_token"))
    assert "hf_secret" not in json.dumps(done)
    assert "hf_secret" not in service.log("web.log") + service.log("worker.log")


def test_two_uploads_at_once_both_complete(service: Service, tmp_path: Path) -> None:
    half = recordings.wav(tmp_path / "half.wav", recordings.speech(SAMPLE)[: 6 * recordings.RATE])
    first, second = service.submit(), service.submit(half)
    whole, part = service.finished(first), service.finished(second)
    assert (whole["status"], part["status"]) == ("COMPLETED", "COMPLETED")
    assert len(part["result"]) < len(whole["result"])
    assert part["audio_duration"] == pytest.approx(6.0, abs=0.01)


def test_progress_rises_and_names_its_stage(service: Service) -> None:
    seconds = [recordings.speech(SAMPLE)] * 5
    long = recordings.wav(service.folder / "long.wav", np.concatenate(seconds))
    identifier = service.submit(long)
    seen = []
    while (task := service.task(identifier))["status"] not in ("COMPLETED", "FAILED"):
        seen.append((task["status"], task["stage"], task["progress"]))
        time.sleep(0.02)
    assert task["status"] == "COMPLETED"
    assert [progress for _, _, progress in seen] == sorted(progress for _, _, progress in seen)
    assert {"transcribe", "align"} <= {stage for _, stage, _ in seen}


def test_silence_is_an_empty_transcript(service: Service, tmp_path: Path) -> None:
    done = service.finished(service.submit(recordings.wav(tmp_path / "a.wav", recordings.silence(5))))
    assert (done["status"], done["result"]) == ("COMPLETED", [])


def test_refused_transcriptions_leave_nothing_behind(service: Service) -> None:
    before = sorted(service.cache.iterdir())
    assert service.post(recording=b"").status_code == 422
    assert service.post(params={"beam_size": "0"}).status_code == 422
    assert service.post(params={"nonsense": "1"}).status_code == 422
    assert service.post(params={"temperature": "nan"}).status_code == 422
    assert service.post(params={"model_size": "evil/repo"}).status_code == 422
    assert service.post(data={"file_url": "http://example.org/a.wav"}).status_code == 422
    assert requests.post(f"{service.url}/transcription", timeout=30).status_code == 422
    assert sorted(service.cache.iterdir()) == before
    assert list((service.cache / "incoming").iterdir()) == []


def test_file_name_of_ten_thousand_characters_is_accepted(service: Service) -> None:
    files = {"file": ("x" * 10_000 + ".flac", SAMPLE.read_bytes())}
    answer = requests.post(f"{service.url}/transcription", files=files, timeout=60)
    assert answer.status_code == 201
    assert service.finished(answer.json()["identifier"])["status"] == "COMPLETED"


def test_web_process_never_loads_the_speech_libraries(service: Service) -> None:
    service.finished(service.submit())
    assert service.web is not None
    for process in [psutil.Process(service.web.pid), *psutil.Process(service.web.pid).children()]:
        mapped = " ".join(region.path for region in process.memory_maps())
        assert "libpython" in mapped or "python3" in mapped
        assert not any(name in mapped for name in ("libtorch", "ctranslate2", "onnxruntime"))
        assert process.memory_info().rss < 100 * 2**20
