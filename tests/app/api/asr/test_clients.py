"""Requests of Bazarr, Speakr, Obsidian, subarr, Subgen and Home Assistant are answered as these clients need it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import srt
from flask import Flask

from app.core.db import results
from app.current import get_settings
from tests.app.api.asr import clients
from tests.app.api.asr.clients import SOUND, replay
from tests.app.api.asr.conftest import Ending, said
from tests.app.posting import kept, rows

TEXT = "text/plain; charset=utf-8"
TALK = [said("Grüß Gott.", 0.4, 1.2, "SPEAKER_00"), said("Danke!", 3.0, 3.5, "SPEAKER_01")]
LANGUAGE = {"language_code": "de", "language": "german", "confidence": 0.98}


def stored() -> tuple[dict[str, Any], list[str]]:
    """The parameters and the warnings of the only task."""
    (row,) = rows()
    return json.loads(row.params), json.loads(row.warnings)


def test_bazarr_gets_subtitles_of_samples_without_a_header(
    web: Flask, ending: Ending, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    ending(TALK, language="de")
    answer = replay(web, clients.BAZARR_ASR)
    assert (answer.status_code, answer.content_type) == (200, TEXT)
    cues = list(srt.parse(answer.data.decode()))
    assert [cue.content for cue in cues] == ["[SPEAKER_00]: Grüß Gott.", "[SPEAKER_01]: Danke!"]
    (row,) = rows()
    assert (row.facade, row.task_type, row.file_name) == ("asr", "transcription", "audio_file")
    assert answer.headers["X-Speech-Task"] == answer.headers["x-request-id"] == row.uuid
    assert answer.headers["Asr-Engine"] == "whisperx"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audio_file.srt"'
    params, warnings = stored()
    assert params["raw_pcm"] and params["lang"] == "en" and params["word_timestamps"] and not params["is_translate"]
    assert warnings == ["video_file has no effect: /asr has no such parameter."]
    assert answer.headers["X-Speech-Warnings"] == "1"
    # The path is one of Bazarr's machine.
    said_here = [answer.text, str(answer.headers), str(row.__data__), caplog.text, *capfd.readouterr()]
    assert "Film.mkv" not in "".join(said_here)
    # The sound is stored unchanged.
    assert kept(web) == [row.uuid, f"{row.uuid}/source"]


def test_bazarr_gets_the_language_of_a_film(web: Flask, ending: Ending) -> None:
    ending(LANGUAGE, language="de")
    answer = replay(web, clients.BAZARR_DETECTION)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json() == {"detected_language": "german", "language_code": "de", "confidence": 0.98}
    (row,) = rows()
    assert (row.facade, row.task_type, row.lane) == ("asr", "detect_language", 0)
    assert stored()[0]["raw_pcm"] and stored()[1] == [
        "video_file has no effect: /detect-language has no such parameter."
    ]


def test_row_17_bazarr_gets_chinese_for_cantonese_which_its_library_does_not_know(web: Flask, ending: Ending) -> None:
    ending({"language_code": "yue", "language": "cantonese", "confidence": 0.7})
    answer = replay(web, clients.BAZARR_DETECTION)
    assert answer.get_json() == {"detected_language": "chinese", "language_code": "zh", "confidence": 0.7}


@pytest.mark.parametrize("recorded", [clients.BAZARR_ASR, clients.BAZARR_DETECTION], ids=["asr", "detection"])
def test_row_16_bazarr_gets_failures_as_text_that_is_no_subtitle(web: Flask, ending: Ending, recorded: bytes) -> None:
    ending(failed=("invalid_media", "The file cannot be decoded\nas 00:00:01,000 --> 00:00:02,000."))
    answer = replay(web, recorded)
    assert (answer.status_code, answer.content_type) == (400, TEXT)
    assert answer.text.startswith("invalid_media: The file cannot be decoded as ") and answer.text.count("\n") == 1
    with pytest.raises(srt.SRTParseError):
        list(srt.parse(answer.text))


def test_bazarr_that_comes_back_gets_the_task_that_already_runs(web: Flask, ending: Ending) -> None:
    ending(TALK)
    first, second = (replay(web, clients.BAZARR_ASR) for _ in range(2))
    assert first.data == second.data and len(rows()) == 1
    assert first.headers["X-Speech-Task"] == second.headers["X-Speech-Task"]


def test_speakr_gets_segments_with_speakers(web: Flask, ending: Ending) -> None:
    ending(TALK, language="de", embeddings='{"SPEAKER_00": [0.1, 0.2]}')
    answer = replay(web, clients.SPEAKR)
    assert (answer.status_code, answer.content_type) == (200, TEXT)
    body = json.loads(answer.text)
    assert body["text"] == "Grüß Gott. Danke!" and body["language"] == "de"
    assert [(each["speaker"], each["text"].strip(), each["start"], each["end"]) for each in body["segments"]] == [
        ("SPEAKER_00", "Grüß Gott.", 0.4, 1.2),
        ("SPEAKER_01", "Danke!", 3.0, 3.5),
    ]
    assert body["speaker_embeddings"] == {"SPEAKER_00": [0.1, 0.2]}
    params, warnings = stored()
    assert params["is_diarize"] and params["speaker_embeddings"] and params["hotwords"] == "Grünwald"
    assert (params["min_speakers"], params["max_speakers"], params["lang"]) == (1, 2, "de")
    assert not params["raw_pcm"] and warnings == []
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Gespr%25C3%25A4ch.webm.json"'


def test_obsidian_gets_segments_with_words(web: Flask, ending: Ending) -> None:
    ending([said("so it is", 0.0, 0.9)], language="en")
    answer = replay(web, clients.OBSIDIAN)
    (segment,) = json.loads(answer.text)["segments"]
    assert [(word["word"], word["start"], word["end"]) for word in segment["words"]] == [
        ("so", 0.0, 0.3),
        ("it", 0.3, 0.6),
        ("is", 0.6, 0.9),
    ]
    params, warnings = stored()
    # The prompt is not escaped: what follows "&" is another parameter.
    assert params["initial_prompt"] == "Names: B" and params["vad_filter"]
    assert [warning.split(" has no effect")[0] for warning in warnings] == ["C, 100% sure"]


def test_subarr_gets_subtitles_for_a_code_of_three_letters(web: Flask, ending: Ending) -> None:
    ending(TALK[1:])
    answer = replay(web, clients.SUBARR)
    assert answer.text == "WEBVTT\n\n00:00:03.000 --> 00:00:03.500\n[SPEAKER_01]: Danke!\n\n"
    assert answer.content_type == TEXT and stored()[0]["lang"] == "de"


def test_subgens_length_is_rounded_up_to_windows(web: Flask, ending: Ending) -> None:
    ending(LANGUAGE)
    assert replay(web, clients.SUBGEN_DETECTION).get_json()["language_code"] == "de"
    params, warnings = stored()
    assert params["language_detection_segments"] == 3
    assert warnings == ["detect_lang_offset has no effect: /detect-language has no such parameter."]


def test_row_30_home_assistant_gets_json_for_the_field_file(web: Flask, ending: Ending) -> None:
    ending([said("Licht an", 0.0, 0.9)], language="de")
    answer = replay(web, clients.HOME_ASSISTANT)
    assert answer.status_code == 200 and answer.get_json(force=True)["text"] == "Licht an"
    params, warnings = stored()
    assert params["lang"] == "de" and params["initial_prompt"] is None
    assert warnings == ["model whisper-1 is not available on this server: mini was used instead."]


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/plain;q=0.5"])
def test_a_client_that_accepts_only_json_gets_json(web: Flask, ending: Ending, accept: str) -> None:
    ending([said("Licht an", 0.0, 0.9)])
    recorded = clients.HOME_ASSISTANT.replace(b"response_format", b"nothing")
    answer = replay(web, recorded, Accept=accept)
    assert answer.content_type == "application/json" and answer.get_json()["text"] == "Licht an"


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "application/json, text/plain, */*"])
def test_other_clients_get_text_by_default(web: Flask, ending: Ending, accept: str) -> None:
    ending([said("Licht an", 0.0, 0.9)])
    answer = replay(web, clients.HOME_ASSISTANT.replace(b"response_format", b"nothing"), Accept=accept)
    assert (answer.content_type, answer.text) == (TEXT, "Licht an\n")


def test_sound_is_stored_as_it_was_sent(web: Flask, ending: Ending) -> None:
    ending(TALK)
    replay(web, clients.BAZARR_ASR)
    (row,) = rows()
    assert (get_settings(web).cache.path / row.uuid / "source").read_bytes() == SOUND
    with web.app_context():
        assert results.get(row.uuid) is not None
