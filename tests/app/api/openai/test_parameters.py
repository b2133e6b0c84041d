"""The fields of OpenAI's clients reach the task, in every spelling; what has no effect is a warning."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from tests.app.api.openai.running import TRANSCRIPTIONS as PATH
from tests.app.api.openai.running import TRANSLATIONS, ask
from tests.app.posting import assert_nothing_stored, part, rows


def stored(web: Flask, path: str = PATH, **form: Any) -> dict[str, Any]:
    """The parameters of the task, and its warnings under ``warnings``."""
    answer = ask(web, path, **form)
    assert answer.status_code == 200, answer.text
    row = next(row for row in rows() if row.uuid == answer.headers["X-Speech-Task"])
    params: dict[str, Any] = json.loads(row.params)
    return params | {"warnings": json.loads(row.warnings)}


def refused_field(web: Flask, field: str, **form: Any) -> str:
    """Check that ``field`` is named by a 400; return the message."""
    answer = ask(web, **form)
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", field), answer.text
    assert_nothing_stored(web)
    message: str = error["message"]
    return message


def test_fields_reach_the_task(speech: Flask) -> None:
    params = stored(
        speech,
        model="whisper-1",
        language="de",
        prompt="Names: Öztürk",
        temperature="0.2",
        keywords_=["one", "two, three"],
    )
    assert (params["lang"], params["initial_prompt"], params["temperature"]) == ("de", "Names: Öztürk", 0.2)
    assert (params["hotwords"], params["model_size"], params["is_diarize"]) == ("one, two, three", "mini", False)
    assert params["warnings"] == []


def test_samples_without_a_header_are_announced_by_the_type_of_the_part(speech: Flask) -> None:
    sent = {"file": (BytesIO(b"\0\0" * 400), "audio", "audio/pcm"), "model": "whisper-1"}
    answer = speech.test_client().post(PATH, data=sent)
    assert answer.status_code == 200, answer.text
    assert json.loads(rows()[-1].params)["raw_pcm"] is True
    other_rate = sent | {"file": (BytesIO(b"\0\0" * 400), "audio", "audio/pcm; rate=8000")}
    refused = speech.test_client().post(PATH, data=other_rate)
    assert (refused.status_code, refused.get_json()["error"]["param"]) == (400, "file")


@pytest.mark.parametrize(
    ("language", "lang"),
    [
        ("", None), ("auto", None), ("null", None), ("undefined", None), ("und", None), ("None", None),
        ("en-US", "en"), ("de_AT", "de"), ("ger", "de"), ("deu", "de"), ("english", "en"), ("DE", "de"),
    ],
)  # fmt: skip
def test_row_12_language_is_read_in_every_spelling(speech: Flask, language: str, lang: str | None) -> None:
    params = stored(speech, language=language)
    assert params["lang"] == lang and params["warnings"] == []


def test_row_13_there_is_no_default_language(speech: Flask) -> None:
    assert stored(speech)["lang"] is None


@pytest.mark.parametrize("name", ["languages", "languages[]", "languages[0]"])
def test_single_one_of_several_languages_is_the_language(speech: Flask, name: str) -> None:
    assert stored(speech, **{name: "de"})["lang"] == "de"


def test_several_languages_are_detected_with_a_warning(speech: Flask) -> None:
    params = stored(speech, languages_=["de", "en"])
    assert params["lang"] is None and "languages has no effect" in params["warnings"][0]


@pytest.mark.parametrize("name", ["prompt", "temperature", "language", "model", "response_format", "stream"])
@pytest.mark.parametrize("value", ["", "null", "undefined", "None"])
def test_field_that_was_not_filled_in_is_absent(speech: Flask, name: str, value: str) -> None:
    params = stored(speech, **{name: value})
    assert (params["initial_prompt"], params["temperature"], params["lang"]) == (None, 0.0, None)
    assert params["warnings"] == []


@pytest.mark.parametrize(
    "form",
    [
        {"chunking_strategy": '{"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 100, "silence_duration_ms": 300}'},
        {
            "chunking_strategy[type]": "server_vad",
            "chunking_strategy[threshold]": "0.4",
            "chunking_strategy[prefix_padding_ms]": "100",
            "chunking_strategy[silence_duration_ms]": "300",
        },
    ],
)  # fmt: skip
def test_chunking_strategy_is_voice_activity_detection(speech: Flask, form: dict[str, str]) -> None:
    params = stored(speech, **form)
    assert (params["vad_filter"], params["threshold"]) == (True, 0.4)
    assert (params["speech_pad_ms"], params["min_silence_duration_ms"], params["warnings"]) == (100, 300, [])


@pytest.mark.parametrize(
    ("value", "on"), [("auto", True), ('"auto"', True), ("", False), ("null", False), ("none", False)]
)
def test_chunking_strategy_is_also_a_word(speech: Flask, value: str, on: bool) -> None:
    assert stored(speech, chunking_strategy=value)["vad_filter"] is on


WRONG_CHUNKING = [
    "fast",
    "[]",
    "1",
    '{"type": "client"}',
    "[" * 100_000,
    '{"threshold": NaN}',
    '{"threshold": []}',
    '{"prefix_padding_ms": 1e309}',
]


@pytest.mark.parametrize("value", WRONG_CHUNKING)
def test_wrong_chunking_strategy_is_refused(idle: Flask, value: str) -> None:
    refused_field(idle, "chunking_strategy", chunking_strategy=value)


def test_fields_of_other_servers_are_honoured(speech: Flask) -> None:
    params = stored(speech, diarize="True", vad="1", vad_threshold="0.3", hotwords="Kiel", translate="yes")
    assert (params["is_diarize"], params["vad_filter"], params["threshold"]) == (True, True, 0.3)
    assert (params["hotwords"], params["is_translate"], params["warnings"]) == ("Kiel", True, [])
    assert stored(speech, without_timestamps="true")["word_timestamps"] is False


def test_native_parameters_are_honoured(speech: Flask) -> None:
    params = stored(
        speech, beam_size="2", num_speakers="2", response_format="diarized_json", suppress_tokens_=["-1", "5"]
    )
    assert (params["beam_size"], params["num_speakers"], params["suppress_tokens"]) == (2, 2, [-1, 5])
    params = stored(speech, "/v1/audio/transcriptions?beam_size=3&lang=fr", language="de")
    assert (params["beam_size"], params["lang"], params["warnings"]) == (3, "fr", [])


def test_word_times_are_computed_whatever_is_shown(speech: Flask) -> None:
    assert stored(speech, response_format="text")["word_timestamps"] is True


@pytest.mark.parametrize(
    ("form", "say"),
    [
        ({"nonsense": "1", "user": "me"}, "Unknown fields have no effect: nonsense, user."),
        ({"include_": "logprobs"}, "include has no effect"),
        ({"known_speaker_names_": ["Ann", "Bob"]}, "known_speaker_names has no effect"),
        ({"known_speaker_references_": "data:audio/wav;base64,AAAA"}, "known_speaker_references has no effect"),
        ({"timestamp_granularities_": "word"}, "timestamp_granularities has no effect"),
        ({"chunking_strategy[kind]": "x"}, "chunking_strategy has a member that has no effect: 'kind'"),
        ({"language": ["de", "en"]}, "language was given more than once"),
        ({"num_speakers": "2"}, "num_speakers has no effect: is_diarize is off."),
    ],
)
def test_field_without_effect_is_a_warning(speech: Flask, form: dict[str, Any], say: str) -> None:
    (warning,) = stored(speech, **form)["warnings"]
    assert warning.startswith(say)
    assert "base64" not in warning


def test_row_08_granularity_without_verbose_json_is_ignored(speech: Flask) -> None:
    answer = ask(speech, timestamp_granularities_="word")
    assert answer.status_code == 200 and "words" not in answer.get_json()
    assert answer.headers["X-Speech-Warnings"] == "1"


def test_many_strange_names_make_one_short_warning(speech: Flask) -> None:
    query = "&".join(f"x{number}%0a%1b[31m{'y' * 90}=1" for number in range(60))
    (warning,) = stored(speech, f"{PATH}?{query}")["warnings"]
    assert warning.isprintable() and len(warning) < 2000 and "and 40 more" in warning


def test_row_31_references_of_known_speakers_have_a_larger_limit(speech: Flask) -> None:
    reference = "data:audio/wav;base64," + "A" * 2_600_000
    params = stored(speech, known_speaker_names_=["Ann"] * 4, known_speaker_references_=[reference] * 4)
    assert len(params["warnings"]) == 2 and "AAAA" not in json.dumps(params)


@pytest.mark.parametrize("references", [["A" * 3_200_000], ["A" * 2_900_000] * 5])
def test_fields_that_are_too_large_are_413(idle: Flask, references: list[str]) -> None:
    answer = ask(idle, known_speaker_references_=references)
    assert (answer.status_code, answer.get_json()["error"]["type"]) == (413, "invalid_request_error")
    assert_nothing_stored(idle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "klingonisch"),
        ("temperature", "warm"),
        ("temperature", "nan"),
        ("temperature", "11"),
        ("response_format", "docx"),
        ("timestamp_granularities", "sentence"),
        ("stream", "perhaps"),
        ("model", "evil/repo"),
        ("model", "../x"),
        ("prompt", "a\0b"),
        ("beam_size", "0"),
        ("diarize", "perhaps"),
        ("min_speakers", "9" * 5000),
    ],
)
def test_wrong_value_is_400_with_the_field_of_the_client(idle: Flask, field: str, value: str) -> None:
    assert refused_field(idle, field, **{field: value}).startswith(f"{field}: ")


def test_unknown_model_lists_the_available_ones(idle: Flask) -> None:
    message = refused_field(idle, "model", model="chirp-2")
    assert "whisper-1" in message and "mini" in message


def test_dialogue_of_a_translation_is_refused(idle: Flask) -> None:
    answer = ask(idle, TRANSLATIONS, response_format="diarized_json")
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "response_format")


@pytest.mark.parametrize(
    ("parts", "say"),
    [
        ([], "field 'file', with a file name"),
        ([part("file", b"RIFF")], "needs a file name"),
        ([part("file", b"", b"")], "is empty"),
        ([part("file", b"", b"a.wav")], "is empty"),
        ([part("file", b"a", b"a"), part("file", b"b", b"b")], "more than once"),
    ],
)
def test_missing_and_empty_recordings_are_400(idle: Flask, parts: list[bytes], say: str) -> None:
    body = b"".join([*parts, b"--x--\r\n"])
    answer = idle.test_client().post(PATH, data=body, content_type="multipart/form-data; boundary=x")
    error = answer.get_json()["error"]
    assert (answer.status_code, error["param"]) == (400, "file") and say in error["message"], answer.text
    assert_nothing_stored(idle)


def test_recording_under_another_name_is_accepted(speech: Flask) -> None:
    answer = speech.test_client().post(PATH, data={"audio_file": (BytesIO(b"abc"), "blob")})
    assert answer.status_code == 200
