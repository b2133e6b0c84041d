"""Parameters of POST /transcription: defaults, bounds and invalid values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from marshmallow import ValidationError

from app.core.params import TranscriptionParams
from app.current import get_defaults, get_settings
from app.schemas.languages import LANGUAGES
from app.schemas.transcription import FALLBACK, TranscriptionParameters, server_defaults
from tests.app.posting import post, post_body, refused, rows, submitted

DEFAULTS: dict[str, Any] = {
    "lang": None,
    "is_translate": False,
    "beam_size": 5,
    "best_of": 5,
    "patience": 1.0,
    "length_penalty": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "temperature": 0.0,
    "compression_ratio_threshold": 2.4,
    "log_prob_threshold": -1.0,
    "no_speech_threshold": 0.6,
    "condition_on_previous_text": True,
    "prompt_reset_on_temperature": 0.5,
    "initial_prompt": None,
    "prefix": None,
    "hotwords": None,
    "suppress_blank": True,
    "suppress_tokens": (-1,),
    "max_initial_timestamp": 1.0,
    "max_new_tokens": None,
    "chunk_length": 30,
    "hallucination_silence_threshold": None,
    "language_detection_threshold": 0.5,
    "language_detection_segments": 1,
    "word_timestamps": True,
    "prepend_punctuations": "\"'“¿([{-",
    "append_punctuations": "\"'.。,，!！?？:：”)]}、",
    "vad_filter": False,
    "threshold": 0.5,
    "min_speech_duration_ms": 250,
    "max_speech_duration_s": math.inf,
    "min_silence_duration_ms": 2000,
    "speech_pad_ms": 400,
    "audio_track": None,
    "raw_pcm": False,
    "is_separate_bgm": False,
    "segment_size": None,
    "listening_copy": "off",
    "stem_format": "wav",
    "save_file": False,
    "is_diarize": False,
    "num_speakers": None,
    "min_speakers": None,
    "max_speakers": None,
    "speaker_embeddings": False,
    "uvr_device": None,
    "diarization_device": None,
    "hf_token": None,
}
CONFIGURED = {"model_size", "compute_type", "batch_size", "enable_offload", "uvr_model_size"}
WHOLE = [name for name, value in DEFAULTS.items() if type(value) is int]
WHOLE += ["batch_size", "segment_size", "max_new_tokens", "num_speakers", "min_speakers", "max_speakers", "audio_track"]
REAL = [name for name, value in DEFAULTS.items() if type(value) is float] + ["hallucination_silence_threshold"]
TEXT = ["initial_prompt", "prefix", "hotwords", "prepend_punctuations", "append_punctuations"]
TEXT += ["uvr_device", "diarization_device", "hf_token"]
CHOICES = ["model_size", "lang", "compute_type", "uvr_model_size", "stem_format", "listening_copy"]
BOOLEANS = [name for name, value in DEFAULTS.items() if type(value) is bool] + ["enable_offload"]
NULLABLE = [name for name, value in DEFAULTS.items() if value is None]

IN_RANGE = {
    "beam_size": ("1", "100"),
    "best_of": ("1", "100"),
    "patience": ("1e-9", "100"),
    "length_penalty": ("1e-9", "100"),
    "repetition_penalty": ("1e-9", "100"),
    "no_repeat_ngram_size": ("0", "448"),
    "temperature": ("0", "10"),
    "compression_ratio_threshold": ("1e-9", "1000"),
    "log_prob_threshold": ("-1000", "1000"),
    "no_speech_threshold": ("0", "1"),
    "prompt_reset_on_temperature": ("0", "1"),
    "max_initial_timestamp": ("0", "30"),
    "max_new_tokens": ("1", "440"),
    "chunk_length": ("1", "30"),
    "hallucination_silence_threshold": ("0", "3600"),
    "language_detection_threshold": ("0", "1"),
    "language_detection_segments": ("1", "10000"),
    "batch_size": ("1", "256"),
    "threshold": ("0", "1"),
    "min_speech_duration_ms": ("0", "2147483647"),
    "max_speech_duration_s": ("1e-9", "1e300"),
    "min_silence_duration_ms": ("0", "2147483647"),
    "speech_pad_ms": ("0", "2147483647"),
    "audio_track": ("0", "999"),
    "segment_size": ("32", "4000"),
    "num_speakers": ("1", "2147483647"),
    "min_speakers": ("1", "2147483647"),
    "max_speakers": ("1", "2147483647"),
}
OPEN_BELOW = (
    "patience",
    "length_penalty",
    "repetition_penalty",
    "compression_ratio_threshold",
    "max_speech_duration_s",
)


def short(value: Any) -> str:
    return ascii(value)[:30]


@pytest.fixture(autouse=True)
def context(web: Flask) -> Iterator[None]:
    with web.app_context():
        yield


def loaded(**given: Any) -> dict[str, Any]:
    params: TranscriptionParams = TranscriptionParameters().load(given)
    return vars(params)


def complaint(**given: Any) -> str:
    """The error message of the only parameter given."""
    with pytest.raises(ValidationError) as error:
        loaded(**given)
    (name,) = given
    assert list(error.value.messages_dict) == [name]
    return " ".join(error.value.messages_dict[name])


def test_defaults_are_those_of_the_contract(web: Flask) -> None:
    settings = get_settings(web)
    assert loaded() == DEFAULTS | server_defaults(settings)
    assert set(TranscriptionParameters().fields) == set(DEFAULTS) | CONFIGURED
    assert {name: type(value) for name, value in loaded().items() if name in DEFAULTS} == {
        name: type(value) for name, value in DEFAULTS.items()
    }
    assert vars(get_defaults(web)) == DEFAULTS | server_defaults(settings)
    assert set(server_defaults(settings)) - set(settings.transcription) == CONFIGURED


def test_every_kind_of_parameter_is_tested_here() -> None:
    known = {*WHOLE, *REAL, *TEXT, *CHOICES, *BOOLEANS, "suppress_tokens"}
    assert known == set(TranscriptionParameters().fields)
    assert {*WHOLE, *REAL} == set(IN_RANGE)


@pytest.mark.parametrize("name", IN_RANGE)
def test_bounds_are_accepted(name: str) -> None:
    least, most = IN_RANGE[name]
    assert loaded(**{name: least})[name] == float(least)
    assert loaded(**{name: most})[name] == float(most)


@pytest.mark.parametrize("name", IN_RANGE)
def test_values_beyond_the_bounds_are_refused(name: str) -> None:
    least, most = IN_RANGE[name]
    step = 1 if name in WHOLE else 1e-6
    below = "0" if name in OPEN_BELOW else str(type(step)(float(least)) - step)
    assert "greater than" in complaint(**{name: below})
    if name != "max_speech_duration_s":
        assert "less than" in complaint(**{name: str(type(step)(float(most)) + step)})


@pytest.mark.parametrize(
    "value",
    [
        *("nan", "NaN", "-inf", "-Infinity", "1e309", "-1e309", "1e99999", "9" * 5000, "1_000", "0x10", "1,5", "5\0"),
        *(
            "٣",
            "²",
            "½",
            "１",
            "five",
            "\ud800",
            "1e",
            "e1",
            ".",
            "+",
            "--1",
            "true",
            "None",
            "null",
        ),
    ],
    ids=short,
)
def test_only_plain_finite_numbers_are_accepted(value: str) -> None:
    for name in (*WHOLE, *REAL):
        assert "number" in complaint(**{name: value})


@pytest.mark.parametrize("value", ["1.9", "1.01", "1e2", ".0", "inf", str(2**64), str(2**63), 1.5, True, [1], {"a": 1}])
def test_whole_numbers_refuse_fractions_and_overflow(value: Any) -> None:
    for name in WHOLE:
        assert complaint(**{name: value}) == "Must be a whole number."


@pytest.mark.parametrize("value", ["32", "32.0", "32.", "32.000", 32.0])
def test_whole_numbers_may_end_in_zeros_after_the_point(value: Any) -> None:
    read = loaded(segment_size=value)["segment_size"]
    assert (read, type(read)) == (32, int)


@pytest.mark.parametrize(
    ("value", "say"),
    [
        ("0,2", "Must be one number; write decimals with a point, such as 0.2."),
        ("0.0,0.2,0.4", FALLBACK),
        ("[0, 0.2]", FALLBACK),
        ("(0.0, 0.2, 0.4)", FALLBACK),
        ("0.0;0.2", FALLBACK),
        ("0 0.2", FALLBACK),
        ("warm", "Must be a number."),
    ],
)
def test_temperature_says_that_it_is_one_number(value: str, say: str) -> None:
    assert complaint(temperature=value) == say
    assert "number" in complaint(threshold=value)


@pytest.mark.parametrize("name", ["num_speakers", "min_speakers", "max_speakers"])
def test_zero_speakers_are_refused_with_advice(name: str) -> None:
    assert complaint(**{name: "0"}).endswith("leave it out if you do not know it.")


@pytest.mark.parametrize("value", [True, [1.0], {"a": 1}, math.nan, -math.inf, 10**400], ids=short)
def test_numbers_refuse_lists_booleans_and_infinity(value: Any) -> None:
    for name in REAL:
        assert "number" in complaint(**{name: value})


@pytest.mark.parametrize("value", ["inf", "Infinity", math.inf])
def test_only_max_speech_duration_may_be_infinite(value: Any) -> None:
    assert loaded(max_speech_duration_s=value)["max_speech_duration_s"] == math.inf
    for name in REAL:
        if name != "max_speech_duration_s":
            assert complaint(**{name: value}) == "Must be a finite number."


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x\udfff", "broken \ufffd", 5, ["a"], True])
def test_text_refuses_broken_characters_and_other_types(value: Any) -> None:
    for name in TEXT:
        assert complaint(**{name: value}) in ("Must not contain NUL or broken characters.", "Not a valid string.")


@pytest.mark.parametrize("name", TEXT)
def test_text_is_unchanged_up_to_the_maximum_length(name: str) -> None:
    assert loaded(**{name: " “ä”\n\x1b 字 \u202e🎤"})[name] == " “ä”\n\x1b 字 \u202e🎤"
    assert "Longer than" in complaint(**{name: "x" * 10_001})


@pytest.mark.parametrize("name", BOOLEANS)
def test_booleans_are_true_or_false(name: str) -> None:
    assert [loaded(**{name: value})[name] for value in ("true", "1", "false", "0")] == [True, True, False, False]
    for value in ("2", "", "maybe", "nan", "true\0", ["true"]):
        assert complaint(**{name: value}) == "Not a valid boolean."


@pytest.mark.parametrize(
    ("value", "tokens"),
    [("-1", [-1]), ("[-1]", [-1]), ("1,2", [1, 2]), ("[1, 2 ]", [1, 2]), ("[]", []), ("", []), (["1", "2"], [1, 2])],
)
def test_suppress_tokens_accepts_three_notations(value: Any, tokens: list[int]) -> None:
    assert loaded(suppress_tokens=value)["suppress_tokens"] == tuple(tokens)


@pytest.mark.parametrize(
    "value",
    [
        *("-2", "1.5", "a", "1,,2", "[1", "1]", "[[1]]", "1;2", str(2**31), "9" * 5000, "٣", "1_0", "0," * 1001, "\0"),
        *(["1", True], [[1]], {}, None, 1.5),
    ],
    ids=short,
)
def test_suppress_tokens_accepts_only_token_ids(value: Any) -> None:
    complaint(suppress_tokens=value)


def test_languages_are_those_of_whisper() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(LANGUAGES) == set(_LANGUAGE_CODES) and len(LANGUAGES) == len(_LANGUAGE_CODES)


def test_english_language_names_of_whisper_are_accepted() -> None:
    from whisperx import utils

    for code, name in utils.LANGUAGES.items():
        assert loaded(lang=name)["lang"] == loaded(lang=name.title())["lang"] == loaded(lang=code)["lang"] == code
    assert loaded(lang="Automatic Detection")["lang"] is None


@pytest.mark.parametrize("value", ["float8", "INT8", "", "\0"])
def test_unknown_compute_type_is_refused(value: str) -> None:
    assert "Must be one of" in complaint(compute_type=value)


@pytest.mark.parametrize("value", ["evil/repo", "/etc/passwd", "../x", ".", "large-v3", "whisper", "\0", "mi ni"])
def test_unconfigured_model_is_refused_with_a_list(web: Flask, value: str) -> None:
    body = refused(post(web, f"?model_size={quote(value)}"), 422, "model_size")
    assert body["errors"]["model_size"] == ["Unknown model. Available: mini."]
    assert rows() == []


def test_min_speakers_may_not_exceed_max_speakers() -> None:
    assert loaded(min_speakers="2", max_speakers="2")["min_speakers"] == 2
    with pytest.raises(ValidationError) as error:
        loaded(min_speakers="3", max_speakers="2")
    assert error.value.messages == {"min_speakers": ["Must not be above max_speakers."]}


@pytest.mark.parametrize(
    "name", ["beamsize", "Beam_size", "beam_size ", "beam_size[]", "__class__", "\0", "result", ""]
)
@pytest.mark.parametrize("place", ["query", "form"])
def test_unknown_field_is_refused_by_name(web: Flask, name: str, place: str) -> None:
    answer = post(web, f"?{quote(name)}=5") if place == "query" else post(web, **{name: "5"})
    refused(answer, 422, name)


@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("beam_size", "1.9"), ("beam_size", str(2**64)), ("beam_size", "9" * 5000), ("patience", "nan")),
        *(("patience", "1e309"), ("threshold", "inf"), ("lang", "xx"), ("initial_prompt", "a\0b"), ("vad_filter", "2")),
    ],
    ids=short,
)
def test_query_and_form_are_validated_alike(web: Flask, place: str, name: str, value: str) -> None:
    answer = post(web, f"?{name}={quote(value)}") if place == "query" else post(web, **{name: value})
    refused(answer, 422, name)


@pytest.mark.parametrize("raw", ["%ED%A0%80", "%FF", "a%C3", "\xff", "%C3%28"])
def test_bytes_that_are_not_utf8_are_refused_by_name(web: Flask, raw: str) -> None:
    boundary, line = "x", "\r\n"
    body = line.join(["--x", 'Content-Disposition: form-data; name="file"; filename="a"', "", "abc", "--x--", ""])
    answer = web.test_client().post(
        "/transcription",
        data=body.encode(),
        content_type=f"multipart/form-data; boundary={boundary}",
        environ_overrides={"QUERY_STRING": f"initial_prompt={raw}"},
    )
    refused(answer, 422, "initial_prompt")


def test_form_field_that_is_not_utf8_is_refused_by_name(web: Flask) -> None:
    line = b"\r\n"
    parts = [b"--x", b'Content-Disposition: form-data; name="hotwords"', b"", b"\xed\xa0\x80"]
    parts += [b"--x", b'Content-Disposition: form-data; name="file"; filename="a"', b"", b"abc", b"--x--", b""]
    answer = web.test_client().post(
        "/transcription", data=line.join(parts), content_type="multipart/form-data; boundary=x"
    )
    refused(answer, 422, "hotwords")


@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize("name", [*DEFAULTS, *sorted(CONFIGURED)])
def test_empty_parameter_has_its_default(web: Flask, name: str, place: str) -> None:
    submitted(web, f"?{name}=") if place == "query" else submitted(web, **{name: ""})
    (row,) = rows()
    assert json.loads(row.params)[name] == get_defaults(web).to_json()[name] if name != "hf_token" else True
    assert json.loads(row.warnings) == []


@pytest.mark.parametrize("name", sorted({*WHOLE, *REAL, *BOOLEANS, *CHOICES, "suppress_tokens", "uvr_device"}))
def test_parameter_of_white_space_has_its_default(web: Flask, name: str) -> None:
    submitted(web, f"?{name}=%20%09%0d%0a")
    assert json.loads(rows()[0].params)[name] == get_defaults(web).to_json()[name]


@pytest.mark.parametrize("place", ["query", "form"])
def test_white_space_around_values_is_dropped(web: Flask, place: str) -> None:
    sent = {
        "lang": "de\r\n",
        "beam_size": " 3",
        "vad_filter": "true ",
        "temperature": "\t0.5",
        "suppress_tokens": " 7 ",
    }
    sent |= {"compute_type": " int8 ", "model_size": "mini\n", "num_speakers": "2 ", "is_diarize": " on"}
    submitted(web, "?" + urlencode(sent)) if place == "query" else submitted(web, **sent)
    stored = json.loads(rows()[0].params)
    assert {name: stored[name] for name in sent} == {
        **{"lang": "de", "beam_size": 3, "vad_filter": True, "temperature": 0.5, "suppress_tokens": [7]},
        **{"compute_type": "int8", "model_size": "mini", "num_speakers": 2, "is_diarize": True},
    }


def test_white_space_of_free_text_is_kept(web: Flask) -> None:
    submitted(web, initial_prompt=" Names: ", prefix=" ")
    stored = json.loads(rows()[0].params)
    assert (stored["initial_prompt"], stored["prefix"]) == (" Names: ", " ")


def test_filled_in_value_wins_over_an_empty_one(web: Flask) -> None:
    submitted(web, "?lang=&beam_size=3", lang="de", beam_size="")
    stored = json.loads(rows()[0].params)
    assert (stored["lang"], stored["beam_size"]) == ("de", 3)


@pytest.mark.parametrize("place", ["query", "form"])
def test_boolean_without_value_is_refused(web: Flask, place: str) -> None:
    if place == "query":
        answer = post(web, "?vad_filter&lang")
    else:
        answer = post_body(web, b"vad_filter&lang", "application/x-www-form-urlencoded")
    body = refused(answer, 422, "vad_filter")
    assert body["errors"]["vad_filter"] == ["Has no value; write vad_filter=true or vad_filter=false."]


def test_config_may_set_other_defaults(web: Flask) -> None:
    configured = get_settings(web).transcription["chunk_length"]
    assert configured != DEFAULTS["chunk_length"]
    submitted(web)
    submitted(web, "?chunk_length=30")
    assert [json.loads(row.params)["chunk_length"] for row in rows()] == [configured, 30]
