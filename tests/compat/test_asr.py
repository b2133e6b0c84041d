"""Bazarr's requests to the real service: samples without a header become subtitles, and a language is found at once."""

from __future__ import annotations

import json

import jiwer
import numpy as np
import requests
import srt

from tests import recordings
from tests.service import SAMPLE, SAMPLES, Service

REFERENCE = json.loads(SAMPLE.with_suffix(".json").read_text())
MOST_WRONG = 0.15


def ask(service: Service, path: str, sound: bytes, **params: str) -> requests.Response:
    """Send samples as Bazarr does."""
    return requests.post(f"{service.url}{path}", params=params, files={"audio_file": sound}, timeout=240)


def test_bazarr_gets_subtitles(service: Service) -> None:
    sound = recordings.speech(SAMPLE).tobytes() + b"\0"  # with an odd last byte
    answer = ask(service, "/asr", sound, task="transcribe", language="en", output="srt", encode="false")
    assert answer.status_code == 200, answer.text
    said = " ".join(cue.content.replace("\n", " ") for cue in srt.parse(answer.text))
    assert jiwer.wer(REFERENCE["text"], said) <= MOST_WRONG
    task = service.task(answer.headers["X-Speech-Task"])
    assert task["warnings"] == [] and abs(task["audio_duration"] - REFERENCE["duration"]) < 0.1


def test_language_of_a_film_is_found_before_waiting_tasks_run(service: Service) -> None:
    german = np.resize(recordings.speech(SAMPLES / "german.flac"), 90 * recordings.RATE).tobytes()
    waiting = [service.submit(SAMPLE, beam_size=str(size)) for size in range(1, 10)]  # more than run at once
    answer = ask(service, "/detect-language", german, encode="false")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["detected_language"], found["language_code"]) == ("german", "de") and found["confidence"] > 0.5
    detected = service.task(answer.headers["X-Speech-Task"])
    later = [task for task in map(service.finished, waiting) if task["started_at"] > detected["created_at"]]
    assert later, "all other tasks ran while the recording was uploaded"
    assert min(task["started_at"] for task in later) > detected["started_at"]


def test_native_detection_says_how_sure_it_is(service: Service) -> None:
    answer = service.post("/detect-language?wait=60", SAMPLES / "german.flac")
    body = answer.json()
    assert answer.status_code == 201 and body["status"] == "COMPLETED", answer.text
    assert set(body["result"]) == {"language_code", "language", "confidence"} and body["language"] == "de"
    text = requests.get(f"{service.url}/task/{body['identifier']}/result?format=txt", timeout=30)
    assert text.text == "de german\n"


def test_bazarr_gets_one_line_of_text_for_a_broken_recording(service: Service) -> None:
    answer = ask(service, "/asr", b"RIFF" + bytes(100), output="srt", encode="false")
    assert answer.status_code == 400 and answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("invalid_media: ") and answer.text.count("\n") == 1
