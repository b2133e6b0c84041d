"""Clients of the Whisper-WebUI backend work unchanged, except that statuses are upper case."""

from __future__ import annotations

import hashlib
import io
import json
import time
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jiwer
import pytest
import requests

from app.core import settings
from app.core.db import connection
from app.factory import create_app
from tests.app.posting import post
from tests.service import PATIENCE, ROOT, SAMPLES, Service, running, write_config

TALK, OVER_MUSIC = SAMPLES / "short.flac", SAMPLES / "conversation-over-music.ogg"
SAID = json.loads(TALK.with_suffix(".json").read_text())["text"]
POLL_SECONDS = 0.2
# Every parameter of that backend at its default; None means that the client omits it.
WHISPER: dict[str, Any] = {
    "model_size": "large-v2", "lang": None, "is_translate": False, "beam_size": 5, "log_prob_threshold": -1.0,
    "no_speech_threshold": 0.6, "compute_type": "float16", "best_of": 5, "patience": 1.0,
    "condition_on_previous_text": True, "prompt_reset_on_temperature": 0.5, "initial_prompt": None, "temperature": 0.0,
    "compression_ratio_threshold": 2.4, "length_penalty": 1.0, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
    "prefix": None, "suppress_blank": True, "suppress_tokens": "[-1]", "max_initial_timestamp": 0.0,
    "word_timestamps": False, "prepend_punctuations": "\"'“¿([{-", "append_punctuations": "\"'.。,，!！?？:：”)]}、",
    "max_new_tokens": None, "chunk_length": 30, "hallucination_silence_threshold": None, "hotwords": None,
    "language_detection_threshold": 0.5, "language_detection_segments": 1, "batch_size": 24, "enable_offload": True,
}  # fmt: skip
VAD: dict[str, Any] = {
    "vad_filter": False, "threshold": 0.5, "min_speech_duration_ms": 250, "max_speech_duration_s": "inf",
    "min_silence_duration_ms": 2000, "speech_pad_ms": 400,
}  # fmt: skip
SEPARATION: dict[str, Any] = {
    "is_separate_bgm": False, "uvr_model_size": "UVR-MDX-NET-Inst_HQ_4", "uvr_device": "cuda", "segment_size": 256,
    "save_file": False, "enable_offload": True,
}  # fmt: skip
DIARIZATION: dict[str, Any] = {"is_diarize": False, "diarization_device": "cuda", "hf_token": ""}
EVERYTHING = {**WHISPER, **VAD, **SEPARATION, **DIARIZATION}
ENDPOINTS = {"/transcription": EVERYTHING, "/vad": VAD, "/bgm-separation": SEPARATION}
# Parameters that suit the mini models; the others keep their defaults.
WINDOW = {"chunk_length": 4}

each_endpoint = pytest.mark.parametrize("path", ENDPOINTS)
each_slash = pytest.mark.parametrize("slash", ["", "/"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that allows the model those clients request."""
    folder = tmp_path_factory.mktemp("webui")
    config = write_config(folder, whisper={"models": {"mini": "whisper", "large-v2": "whisper"}})
    with running(folder, config=config) as service:
        yield service


def sent(server: Service, path: str, recording: Path, params: dict[str, Any]) -> str:
    """Submit a recording, check the response that clients expect, and return the identifier."""
    with recording.open("rb") as file:
        answer = requests.post(
            f"{server.url}{path}", params=params, files={"file": (recording.name, file, "audio/mpeg")}, timeout=60
        )
    assert answer.status_code == 201 and answer.history == [], answer.text
    body = answer.json()
    assert set(body) == {"identifier", "status", "message"} and body["status"] == "QUEUED"
    assert body["message"].endswith("task has queued")
    return str(body["identifier"])


def polled(server: Service, identifier: str, slash: str = "") -> dict[str, Any]:
    """Poll as those clients do, until COMPLETED or FAILED."""
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline:
        answer = requests.get(f"{server.url}/task/{identifier}{slash}", timeout=30)
        assert answer.status_code == 200 and answer.history == [], answer.text
        task: dict[str, Any] = answer.json()
        if task["status"] == "COMPLETED":
            return task
        assert task["status"] in ("QUEUED", "IN_PROGRESS"), task
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"not completed in time: {task}")


def wrong(task: dict[str, Any]) -> float:
    """The word error rate."""
    return float(jiwer.wer(SAID, " ".join(segment["text"] for segment in task["result"])))


def warned_of(task: dict[str, Any]) -> set[str]:
    return {warning.split()[0] for warning in task["warnings"]}


@each_slash
def test_transcription_with_every_parameter_as_a_query_parameter(server: Service, slash: str) -> None:
    task = polled(server, sent(server, f"/transcription{slash}", TALK, EVERYTHING), slash)
    assert wrong(task) <= 0.5  # windows of 30 s are long for the mini models
    for segment in task["result"]:
        assert {"start", "end", "text", "words"} <= set(segment) and segment["words"] == []
    ran_with = task["task_params"]
    assert set(ran_with) > set(EVERYTHING) - {"hf_token"} and "hf_token" not in ran_with
    assert (ran_with["model_size"], ran_with["chunk_length"], ran_with["batch_size"]) == ("large-v2", 30, 24)
    assert (task["task_type"], task["result_type"], task["language"]) == ("transcription", "json", "en")


def test_parameters_without_effect_are_reported_to_webui_clients(server: Service) -> None:
    task = polled(server, sent(server, "/transcription", TALK, {**EVERYTHING, "hf_token": "hf_secret"}))
    ignored = {
        "uvr_device",
        "diarization_device",
        "hf_token",
        "uvr_model_size",
        "segment_size",
        "max_initial_timestamp",
    }
    assert warned_of(task) == ignored | {"compute_type"}
    assert "hf_secret" not in json.dumps(task)
    log = server.log("web.log") + server.log("worker.log")
    assert "hf_secret" not in log and "UVR-MDX" not in log


@each_slash
def test_the_text_matches_the_reference(server: Service, slash: str) -> None:
    asked = {**EVERYTHING, **WINDOW, "word_timestamps": True, "lang": "english"}
    task = polled(server, sent(server, f"/transcription{slash}", TALK, asked), slash)
    assert wrong(task) <= 0.1
    assert task["task_params"]["lang"] == "en"
    for segment in task["result"]:
        assert segment["words"] and all({"word", "start", "end", "probability"} <= set(w) for w in segment["words"])


def test_diarization_separation_and_vad_together(server: Service) -> None:
    asked = {
        "is_diarize": True,
        "is_separate_bgm": True,
        "vad_filter": True,
        "save_file": True,
        "word_timestamps": True,
    }
    identifier = sent(server, "/transcription/", OVER_MUSIC, {**EVERYTHING, **WINDOW, **asked})
    task = polled(server, identifier)
    assert len({segment["speaker"] for segment in task["result"]} - {None}) >= 2
    assert (
        "uvr_model_size UVR-MDX-NET-Inst_HQ_4 is not available on this server: mini was used instead."
        in task["warnings"]
    )
    assert task["task_params"]["uvr_model_size"] == "mini"
    assert len(stems(server, identifier)) == 2


@each_slash
def test_voice_activity(server: Service, slash: str) -> None:
    task = polled(server, sent(server, f"/vad{slash}", TALK, VAD), slash)
    assert task["result"] and all(0 <= speech["start"] < speech["end"] for speech in task["result"])
    assert task["warnings"] == ["vad_filter has no effect: /vad always looks for speech."]


@each_slash
def test_separation_and_download_of_the_stems(server: Service, slash: str) -> None:
    identifier = sent(server, f"/bgm-separation{slash}", TALK, SEPARATION)
    task = polled(server, identifier, slash)
    assert task["result_type"] == "filepath" and {"instrumental_hash", "vocal_hash"} <= set(task["result"])
    assert warned_of(task) == {"is_separate_bgm", "save_file", "uvr_device", "uvr_model_size"}
    files = stems(server, identifier, slash)
    hashes = {hashlib.sha256(content).hexdigest() for content in files.values()}
    assert hashes == {task["result"]["vocal_hash"], task["result"]["instrumental_hash"]}
    for content in files.values():
        with wave.open(io.BytesIO(content)) as stem:
            assert stem.getnframes() / stem.getframerate() == pytest.approx(task["audio_duration"], abs=0.1)


def stems(server: Service, identifier: str, slash: str = "") -> dict[str, bytes]:
    """Download the ZIP; map file names to contents."""
    answer = requests.get(f"{server.url}/task/file/{identifier}{slash}", timeout=60)
    assert answer.headers["Content-Type"] == "application/zip" and answer.history == []
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@each_endpoint
@pytest.mark.parametrize("place", ["query", "form"])
def test_the_default_configuration_accepts_every_parameter(path: str, place: str, tmp_path: Path) -> None:
    environment = {
        "CONFIG": str(ROOT / "config.yaml"),
        "CACHE_DIR": str(tmp_path / "cache"),
        "DB_URL": f"sqlite:///{tmp_path / 'records.db'}",
    }
    web = create_app(settings.load(environment, root=tmp_path))
    given = {name: str(value) for name, value in ENDPOINTS[path].items() if value is not None}
    query = f"?{urlencode(given)}" if place == "query" else ""
    answer = post(web, query, path=path, **(given if place == "form" else {}))
    assert answer.status_code == 201, answer.text
    connection.database.close()
