"""Parameters of /asr and /detect-language become those of a task, with warnings for those without effect."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.app.api.asr.conftest import Ending, said
from tests.app.posting import assert_nothing_stored, rows

TALK = [said("so it is", 0.0, 0.9, "SPEAKER_00")]


def send(web: Flask, query: str = "", path: str = "/asr", kind: str | None = None, **form: Any) -> TestResponse:
    part = (io.BytesIO(b"sound"), "a.wav", kind) if kind else (io.BytesIO(b"sound"), "a.wav")
    return web.test_client().post(path + query, data={"audio_file": part} | form)


def made(web: Flask, ending: Ending, query: str = "", **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The parameters and warnings of the task that a request makes."""
    ending(TALK)
    answer = send(web, query, **more)
    assert answer.status_code == 200, answer.text
    row = rows()[-1]
    return json.loads(row.params), json.loads(row.warnings)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("?encode=false", "raw_pcm", True),
        ("?encode=False", "raw_pcm", True),
        ("?encode=0", "raw_pcm", True),
        ("?encode=true", "raw_pcm", False),
        ("", "raw_pcm", False),
        ("?task=translate", "is_translate", True),
        ("?task=transcribe", "is_translate", False),
        ("?language=ger", "lang", "de"),
        ("?language=de-AT", "lang", "de"),
        ("?language=German", "lang", "de"),
        ("?language=", "lang", None),
        ("?language=auto", "lang", None),
        ("?language=und", "lang", None),
        ("?language=null", "lang", None),
        ("?language=undefined", "lang", None),
        ("?initial_prompt=Names%3A%20B", "initial_prompt", "Names: B"),
        ("?prompt=Names", "initial_prompt", "Names"),
        ("?hotwords=B", "hotwords", "B"),
        ("?vad_filter=True", "vad_filter", True),
        ("?diarize=1", "is_diarize", True),
        ("?enable_diarization=yes", "is_diarize", True),
        ("?diarize=false&enable_diarization=true", "is_diarize", True),
        ("?diarize=true&enable_diarization=false", "is_diarize", True),
        ("?diarize=true&num_speakers=3", "num_speakers", 3),
        ("?diarize=true&min_speakers=&max_speakers=4", "max_speakers", 4),
        ("?diarize=true&return_speaker_embeddings=true", "speaker_embeddings", True),
        ("?model=mini", "model_size", "mini"),
        ("?model=", "model_size", "mini"),
        ("?word_timestamps=false", "word_timestamps", True),
        ("?temperature=0.4", "temperature", 0.4),
        ("?task=translate&task=transcribe", "is_translate", False),
    ],
)
def test_parameter_reaches_the_task(web: Flask, ending: Ending, query: str, name: str, value: Any) -> None:
    params, warnings = made(web, ending, query)
    assert params[name] == value and warnings == []


def test_parameters_may_come_in_the_form(web: Flask, ending: Ending) -> None:
    params, _ = made(web, ending, "?language=en", task="translate", language="de")
    assert params["is_translate"] and params["lang"] == "en"


@pytest.mark.parametrize("kind", ["audio/pcm", '"audio/pcm"', "audio/raw", "audio/pcm; rate=16000"])
def test_samples_may_be_announced_by_the_type_of_the_part(web: Flask, ending: Ending, kind: str) -> None:
    assert made(web, ending, kind=kind)[0]["raw_pcm"]


@pytest.mark.parametrize("kind", ["audio/wav", "application/octet-stream", "audio/l16"])
def test_other_types_of_parts_do_not_matter(web: Flask, ending: Ending, kind: str) -> None:
    assert not made(web, ending, kind=kind)[0]["raw_pcm"]


@pytest.mark.parametrize(
    ("query", "warned"),
    [
        ("?nonsense=1", ["nonsense has no effect: /asr has no such parameter."]),
        ("?video_file=%2Fa", ["video_file has no effect: /asr has no such parameter."]),
        ("?beam_size=8", ["beam_size has no effect: /asr has no such parameter."]),
        ("?output=lrc", ["output lrc is unknown: txt was used instead."]),
        ("?model=large", ["model large is not available on this server: mini was used instead."]),
        ("?min_speakers=2", ["min_speakers has no effect: is_diarize is off."]),
        ("?output=srt&word_timestamps=true", ["word_timestamps has no effect: srt has no times of words."]),
        ("?%FF%00=1", ["?? has no effect: /asr has no such parameter."]),
        ("?output=json&word_timestamps=true", []),
        ("?output=vtt&word_timestamps=true", []),
    ],
)
def test_what_has_no_effect_is_in_the_warnings(web: Flask, ending: Ending, query: str, warned: list[str]) -> None:
    assert made(web, ending, query)[1] == warned


def test_files_that_are_not_the_recording_are_ignored_with_a_warning(web: Flask, ending: Ending) -> None:
    assert made(web, ending, video_file=(io.BytesIO(b"x"), "x"))[1] == [
        "video_file has no effect: /asr has no such parameter."
    ]


def test_many_unknown_names_are_counted(web: Flask, ending: Ending) -> None:
    warnings = made(web, ending, "?" + "&".join(f"{number}{'x' * 100}=1" for number in range(50)))[1]
    assert len(warnings) == 21 and warnings[-1] == "30 more parameters have no effect."
    assert max(map(len, warnings)) < 120


@pytest.mark.parametrize("output", ["txt", "text", "vtt", "srt", "tsv", "json", "TXT", "lrc", ""])
@pytest.mark.parametrize("name", ["output", "output_format"])
def test_every_output_is_text(web: Flask, ending: Ending, name: str, output: str) -> None:
    ending(TALK)
    answer = send(web, f"?{name}={output}")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
    extension = {"text": "txt", "TXT": "txt", "lrc": "txt", "": "txt"}.get(output, output)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="a.wav.{extension}"'


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?task=summarize", "task"),
        ("?language=klingon", "language"),
        ("?encode=perhaps", "encode"),
        ("?diarize=2", "diarize"),
        ("?enable_diarization=2", "enable_diarization"),
        ("?word_timestamps=x", "word_timestamps"),
        ("?vad_filter=x", "vad_filter"),
        ("?min_speakers=0", "min_speakers"),
        ("?max_speakers=1e309", "max_speakers"),
        ("?diarize=true&min_speakers=3&max_speakers=2", "min_speakers"),
        ("?num_speakers=1.5", "num_speakers"),
        ("?initial_prompt=%FF", "initial_prompt"),
        (f"?hotwords={'x' * 10_001}", "hotwords"),
        ("?temperature=nan", "temperature"),
        ("?return_speaker_embeddings=x", "return_speaker_embeddings"),
    ],
)
def test_a_wrong_value_is_400_and_named_as_the_client_names_it(web: Flask, query: str, named: str) -> None:
    answer = send(web, query)
    assert (answer.status_code, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith(f"bad_request: {named}: ") and answer.text.count("\n") == 1
    assert_nothing_stored(web)


@pytest.mark.parametrize("kind", ["audio/pcm; rate=48000", "audio/raw; channels=2"])
def test_samples_of_another_kind_are_refused(web: Flask, kind: str) -> None:
    answer = send(web, kind=kind)
    assert answer.status_code == 400 and "16000 Hz and one channel" in answer.text
    assert_nothing_stored(web)


@pytest.mark.parametrize(("length", "windows"), [("1", 1), ("30", 1), ("30.5", 2), ("0", 1), ("1e9", 10_000)])
def test_length_of_a_detection_is_counted_in_windows(web: Flask, ending: Ending, length: str, windows: int) -> None:
    ending({"language_code": "de", "language": "german", "confidence": 0.98})
    assert send(web, f"?detect_lang_length={length}", path="/detect-language").status_code == 200
    assert json.loads(rows()[0].params)["language_detection_segments"] == windows


@pytest.mark.parametrize("value", ["x", "nan", "1e999", "-inf", "-1"])
def test_a_wrong_length_is_400(web: Flask, value: str) -> None:
    answer = send(web, f"?detect_lang_length={quote(value)}", path="/detect-language")
    assert answer.status_code == 400 and answer.text.startswith("bad_request: detect_lang_length: ")
    assert_nothing_stored(web)
