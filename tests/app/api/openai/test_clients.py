"""Recorded requests of named clients, replayed as raw bodies; and what each client reads of the answer."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.app.api.openai.running import DIALOGUE, completes, fails, working
from tests.app.posting import RECORDING, rows

PATH = "/v1/audio/transcriptions"
BOUNDARY = "----geckoformboundary5c1d"
CRLF = b"\r\n"
TEXT = "Hello and thanks. Grüße!"


def field(name: str, value: str, kind: str = "") -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"', *([f"Content-Type: {kind}"] if kind else [])]
    return CRLF.join([*(line.encode() for line in lines), b"", value.encode()])


def recording(name: str, kind: str = "", part: str = "file") -> bytes:
    lines = [
        f'Content-Disposition: form-data; name="{part}"; filename="{name}"',
        *([f"Content-Type: {kind}"] if kind else []),
    ]
    return CRLF.join([*(line.encode() for line in lines), b"", RECORDING])


def body_of(*parts: bytes) -> bytes:
    opened = b"".join(b"--" + BOUNDARY.encode() + CRLF + part + CRLF for part in parts)
    return opened + b"--" + BOUNDARY.encode() + b"--" + CRLF


def replay(web: Flask, *parts: bytes, path: str = PATH, chunked: bool = False, **headers: str) -> TestResponse:
    """Send a form as one body, with its length or without it."""
    body = body_of(*parts)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    if not chunked:
        return web.test_client().post(path, data=body, headers=sent, content_type=kind)
    # gunicorn hands a chunked body on as a stream that ends, and says so.
    environ = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body), "HTTP_TRANSFER_ENCODING": "chunked"}
    return web.test_client().open(
        path, method="POST", headers=sent, content_type=kind, input_stream=io.BytesIO(body), environ_overrides=environ
    )


def params() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(rows()[-1].params)
    return stored


def test_open_webui_gets_text_and_segments(speech: Flask) -> None:
    answer = replay(
        speech,
        field("model", "whisper-1"),
        field("response_format", "verbose_json"),
        field("timestamp_granularities[]", "segment"),
        field("language", "en"),
        recording("8f1c.webm", "audio/webm"),
        Authorization="Bearer sk-none",
    )
    body = answer.get_json()
    assert answer.status_code == 200 and body["text"] == TEXT
    assert all(isinstance(value, list) for name, value in body.items() if name in ("segments", "words"))


def test_open_webui_gets_an_error_message(web: Flask) -> None:
    with working(web, fails("invalid_media", "It is broken.")):
        answer = replay(web, field("model", "whisper-1"), recording("a.webm", "audio/webm"), Authorization="Bearer x")
    assert answer.get_json()["error"]["message"] == "It is broken."


def test_librechat_sends_no_length(speech: Flask) -> None:
    answer = replay(
        speech,
        recording("audio.webm", "audio/webm"),
        field("model", "whisper-1"),
        field("language", "en"),
        chunked=True,
        Authorization="Bearer user_provided",
    )
    assert answer.status_code == 200 and answer.get_json()["text"].strip()
    assert params()["lang"] == "en"


def test_librechat_reaches_azure_style_paths(speech: Flask) -> None:
    answer = replay(
        speech,
        recording("audio.mp3", "audio/mpeg"),
        path="/openai/deployments/whisper/audio/transcriptions?api-version=2024-06-01",
        api_key="secret",
    )
    assert answer.status_code == 200 and "warnings" not in answer.get_json()


def test_n8n_reads_the_default_format(speech: Flask) -> None:
    answer = replay(
        speech,
        field("model", "whisper-1"),
        recording("file.ogg", "audio/ogg"),
        field("temperature", "0"),
        Authorization="Bearer x",
    )
    assert answer.status_code == 200 and answer.get_json()["text"] == TEXT


def test_home_assistant_sends_each_field_even_if_empty(speech: Flask) -> None:
    answer = replay(
        speech,
        recording("audio.wav", "audio/wav"),
        field("language", "en"),
        field("model", "whisper-1"),
        field("temperature", "0"),
        field("prompt", ""),
        field("response_format", "json"),
        Authorization="Bearer ",
    )
    assert answer.status_code == 200 and answer.get_json()["text"] == TEXT
    assert (params()["initial_prompt"], params()["lang"]) == (None, "en")


def test_home_assistant_checks_the_model_before_it_saves(web: Flask) -> None:
    assert web.test_client().get("/v1/models/whisper-1").get_json()["id"] == "whisper-1"


def test_wyoming_joins_the_deltas(speech: Flask) -> None:
    answer = replay(
        speech,
        field("model", "gpt-4o-transcribe"),
        field("response_format", "json"),
        field("stream", "true"),
        field("vad_filter", "true"),
        recording("upload", "application/octet-stream"),
    )
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert "".join(event.get("delta", "") for event in events) == TEXT
    assert params()["vad_filter"] is True


MEET = (
    field("model", "whisper-1"),
    field("response_format", "diarized_json"),
    field("timestamp_granularities", "word"),
    field("language", "fr"),
)


def test_meet_reads_words_with_scores_and_speakers(web: Flask) -> None:
    with working(web, completes(DIALOGUE, "fr")):
        body = replay(web, *MEET, recording("recording.ogg", "audio/ogg")).get_json()
    assert "warnings" not in body and params()["is_diarize"] is True
    for segment in body["segments"]:
        assert {"start", "end", "text", "speaker", "words"} <= set(segment)
        for word in segment["words"]:
            assert set(word) == {"word", "start", "end", "score", "speaker"}
            assert isinstance(word["start"], float) and isinstance(word["end"], float)
    assert body["word_segments"] == [word for segment in body["segments"] for word in segment["words"]]


def test_meet_gives_up_on_a_corrupt_file(web: Flask) -> None:
    with working(web, fails("invalid_media", "It is broken.")):
        assert replay(web, *MEET, recording("recording.ogg", "audio/ogg")).status_code == 400


def test_speakr_gets_speakers_although_it_sends_known_ones(dialogue: Flask) -> None:
    reference = "data:audio/mpeg;base64," + "A" * 400_000
    answer = replay(
        dialogue,
        field("model", "gpt-4o-transcribe-diarize"),
        field("response_format", "diarized_json"),
        field("chunking_strategy", "auto"),
        *(field("known_speaker_names[]", name) for name in ("Ann", "Bob")),
        *(field("known_speaker_references[]", reference) for _ in range(2)),
        recording("chunk_000.mp3", "audio/mpeg"),
        x_stainless_read_timeout="600",
    )
    body = answer.get_json()
    assert [segment["speaker"] for segment in body["segments"]] == ["A", "B", "A"]
    assert len(body["warnings"]) == 2 and params()["vad_filter"] is True


AI_SDK_NUMBERS = (
    "id seek start end temperature avg_logprob compression_ratio no_speech_prob".split()
)  # its schema rejects the whole answer if one is missing


def test_ai_sdk_accepts_the_segments(speech: Flask) -> None:
    body = replay(
        speech,
        field("model", "whisper-1"),
        recording("audio.mp3", "audio/mpeg"),
        field("response_format", "verbose_json"),
        field("timestamp_granularities[]", "segment"),
    ).get_json()
    assert body["language"] == "english" and isinstance(body["duration"], float)
    for segment in body["segments"]:
        assert all(isinstance(segment[name], (int, float)) for name in AI_SDK_NUMBERS)
        assert isinstance(segment["text"], str) and all(isinstance(token, int) for token in segment["tokens"])


def test_attendee_sends_its_model_as_a_part_with_a_type(speech: Flask) -> None:
    answer = replay(
        speech, recording("file.mp3", "audio/mpeg"), field("model", "whisper-1", "text/plain"), Authorization="Bearer x"
    )
    assert answer.status_code == 200 and answer.get_json()["text"]


def test_obsidian_style_part_has_a_quoted_type(speech: Flask) -> None:
    assert replay(speech, recording("blob", '"application/octet-stream"')).status_code == 200


@pytest.mark.parametrize("value", ["True", "true", "1", "on", "yes"])
def test_booleans_of_each_http_library_are_read(speech: Flask, value: str) -> None:
    replay(speech, recording("a.wav"), field("diarize", value), field("response_format", "verbose_json"))
    assert params()["is_diarize"] is True


def test_raw_utf_8_in_a_file_name_is_kept(speech: Flask) -> None:
    assert replay(speech, recording("Gespräch.wav", "audio/wav")).status_code == 200
    assert rows()[0].file_name == "Gespräch.wav"
