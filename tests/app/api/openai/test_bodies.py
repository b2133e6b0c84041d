"""Each response_format has exactly the body that OpenAI's clients read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose, Translation
from openai.types.audio.translation_verbose import TranslationVerbose

from app.api.openai.transcript import join_texts, skip_text
from app.formats.letters import write_letters
from tests.app.api.openai.running import DURATION, SPOKEN, TRANSLATIONS, ask, completes, working
from tests.app.posting import rows

TEXT = "Hello and thanks. Grüße!"
USAGE = {"type": "duration", "seconds": 4}
NUMBERS = {
    "tokens": [50364, 2425],
    "temperature": 0.0,
    "avg_logprob": -0.21,
    "compression_ratio": 0.71,
    "no_speech_prob": 0.01,
}
WORDS = [
    {"word": "Hello", "start": 0.4, "end": 0.7},
    {"word": "and", "start": 0.8, "end": 1.1},
    {"word": "thanks.", "start": 1.2, "end": 1.5},
    {"word": "Grüße!", "start": 2.0, "end": 2.3},
]
VERBOSE = {
    "task": "transcribe",
    "language": "english",
    "duration": DURATION,
    "text": TEXT,
    "segments": [
        {"id": 0, "seek": 0, "start": 0.4, "end": 1.5, "text": " Hello and thanks.", **NUMBERS},
        {"id": 1, "seek": 0, "start": 2.0, "end": 2.3, "text": " Grüße!", **NUMBERS},
    ],
    "usage": USAGE,
}


def body_of(web: Flask, **form: Any) -> Any:
    answer = ask(web, **form)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    return answer.get_json()


def test_row_03_json_is_an_object_and_the_default(speech: Flask) -> None:
    body = body_of(speech)
    assert body == {"text": TEXT, "languages": [{"code": "en"}], "usage": USAGE}
    Transcription.model_validate(body, strict=True)


def test_row_04_text_is_plain(speech: Flask) -> None:
    answer = ask(speech, response_format="text")
    assert (answer.text, answer.content_type) == (f"{TEXT}\n", "text/plain; charset=utf-8")


def test_row_05_subtitles_have_their_own_types(speech: Flask) -> None:
    srt, vtt = ask(speech, response_format="srt"), ask(speech, response_format="vtt")
    assert (srt.content_type, vtt.content_type) == ("text/plain; charset=utf-8", "text/vtt; charset=utf-8")
    assert (
        srt.text
        == "1\n00:00:00,400 --> 00:00:01,500\nHello and thanks.\n\n2\n00:00:02,000 --> 00:00:02,300\nGrüße!\n\n"
    )
    assert vtt.text == (
        "WEBVTT\n\n00:00:00.400 --> 00:00:01.500\nHello and thanks.\n\n00:00:02.000 --> 00:00:02.300\nGrüße!\n\n"
    )


def test_vtt_has_word_times_when_they_were_asked_for(speech: Flask) -> None:
    answer = ask(speech, response_format="vtt", timestamp_granularities_="word")
    assert "Hello <00:00:00.800>and <00:00:01.200>thanks." in answer.text
    assert "X-Speech-Warnings" not in answer.headers


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_row_02_umlauts_survive_without_a_guess(speech: Flask, response_format: str) -> None:
    answer = ask(speech, response_format=response_format)
    assert "charset=utf-8" in answer.content_type and "Grüße" in answer.data.decode("utf-8")


def test_row_09_verbose_json_is_complete(speech: Flask) -> None:
    body = body_of(speech, response_format="verbose_json")
    assert body == VERBOSE
    TranscriptionVerbose.model_validate(body, strict=True)
    assert "".join(segment["text"] for segment in body["segments"]).strip() == body["text"]


@pytest.mark.parametrize(
    "spelling", ["timestamp_granularities", "timestamp_granularities[]", "timestamp_granularities[0]"]
)
def test_row_07_words_are_there_in_every_spelling(speech: Flask, spelling: str) -> None:
    body = body_of(speech, response_format="verbose_json", **{spelling: "word"})
    assert body["words"] == WORDS and "segments" not in body and body["language"] == "english"
    TranscriptionVerbose.model_validate(body, strict=True)


@pytest.mark.parametrize("value", ["word,segment", '["word", "segment"]', ["word", "segment"]])
def test_row_07_both_granularities_give_both_lists(speech: Flask, value: Any) -> None:
    body = body_of(speech, response_format="verbose_json", timestamp_granularities_=value)
    assert body == VERBOSE | {"words": WORDS}


def test_row_10_segments_have_every_number(web: Flask) -> None:

    with working(web, completes([segment | {"words": []} for segment in SPOKEN])):
        body = body_of(web, response_format="verbose_json", timestamp_granularities_="word,segment")
    for segment in body["segments"]:
        assert all(isinstance(segment[name], (int, float)) for name in ("id", "seek", "start", "end"))
        assert all(isinstance(segment[name], float) for name in NUMBERS if name != "tokens")
    assert body["words"] == []


@pytest.mark.parametrize(("code", "name"), [("de", "german"), ("yue", "cantonese"), ("haw", "hawaiian")])
def test_row_11_verbose_names_the_language_and_json_its_code(web: Flask, code: str, name: str) -> None:
    with working(web, completes([], code)):
        assert body_of(web, response_format="verbose_json")["language"] == name
        assert body_of(web)["languages"] == [{"code": code}]


def test_row_01_silence_is_an_empty_transcript(web: Flask) -> None:
    with working(web, completes([], None)):
        assert body_of(web) == {"text": "", "languages": [], "usage": USAGE}
        verbose = body_of(web, response_format="verbose_json", timestamp_granularities_="word,segment")
        diarized = body_of(web, response_format="diarized_json")
        assert ask(web, response_format="text").text == "\n"
        assert ask(web, response_format="srt").text == ""
    assert (verbose["text"], verbose["segments"], verbose["words"]) == ("", [], [])
    TranscriptionVerbose.model_validate(verbose, strict=True)
    assert (diarized["text"], diarized["segments"], diarized["word_segments"]) == ("", [], [])


def has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_null(each) for each in value.values())
    return any(map(has_null, value)) if isinstance(value, list) else value is None


@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
def test_row_32_absent_is_absent(speech: Flask, response_format: str) -> None:
    body = body_of(speech, response_format=response_format)
    assert not has_null(body) and "words" not in body and "warnings" not in body


def test_diarized_json_has_letters_for_speakers_and_words_for_whisperx_clients(dialogue: Flask) -> None:
    body = body_of(dialogue, response_format="diarized_json")
    TranscriptionDiarized.model_validate(body, strict=True)
    assert body["text"] == "Hello. Yes, please. Thanks."
    assert [segment["speaker"] for segment in body["segments"]] == ["A", "B", "A"]
    first = {"word": "Hello.", "start": 0.4, "end": 0.7, "score": 0.87, "speaker": "A"}
    assert body["segments"][0] == {
        "type": "transcript.text.segment",
        "id": "seg_0",
        "start": 0.4,
        "end": 0.7,
        "text": " Hello.",
        "speaker": "A",
        "words": [first],
    }
    assert body["word_segments"][0] == first and len(body["word_segments"]) == 4
    assert set(body) == {"task", "duration", "text", "segments", "usage", "word_segments"}
    assert json.loads(rows()[0].params)["is_diarize"] is True


def test_dialogue_without_speakers_has_a_speaker_in_each_segment(speech: Flask) -> None:
    body = body_of(speech, response_format="diarized_json")
    assert [segment["speaker"] for segment in body["segments"]] == ["unknown", "unknown"]
    assert body["word_segments"][0]["speaker"] is None
    TranscriptionDiarized.model_validate(body, strict=True)


@pytest.mark.parametrize(
    ("response_format", "named"), [("verbose_json", True), ("srt", True), ("json", False), ("text", False)]
)
def test_model_that_names_speakers_does_so_where_the_format_shows_them(
    dialogue: Flask, response_format: str, named: bool
) -> None:
    answer = ask(
        dialogue,
        model="gpt-4o-transcribe-diarize",
        response_format=response_format,
        timestamp_granularities_=["word", "segment"] if response_format == "verbose_json" else [],
    )
    assert json.loads(rows()[0].params)["is_diarize"] is named
    assert "X-Speech-Warnings" not in answer.headers
    if response_format == "verbose_json":
        body = answer.get_json()
        assert [said["speaker"] for said in (*body["segments"], body["words"][1])] == ["A", "B", "A", "B"]
    elif response_format == "srt":
        assert "B: Yes, please." in answer.text


def test_translation_says_so(speech: Flask) -> None:
    body = body_of(speech, path=TRANSLATIONS, response_format="verbose_json", language="de")
    assert (body["task"], body["language"], body["text"]) == ("translate", "english", TEXT)
    TranslationVerbose.model_validate(body, strict=True)
    Translation.model_validate(body_of(speech, path=TRANSLATIONS), strict=True)
    stored = json.loads(rows()[0].params)
    assert (stored["is_translate"], stored["lang"]) == (True, "de")


def test_warnings_are_in_json_bodies_and_counted_in_the_header(web: Flask) -> None:
    with working(web, completes([], "en", ("The recording is damaged.",))):
        answer = ask(web, nonsense="1")
        text = ask(web, nonsense="1", response_format="text")
    warnings = ["Unknown fields have no effect: nonsense.", "The recording is damaged."]
    assert answer.get_json()["warnings"] == warnings
    assert answer.headers["X-Speech-Warnings"] == text.headers["X-Speech-Warnings"] == "2"


def test_texts_are_joined_with_spaces_where_the_script_has_them() -> None:
    assert join_texts(["Hello.", "", " Yes "]) == "Hello. Yes"
    assert join_texts(["你好。", "谢谢。", "OK", "再见"]) == "你好。谢谢。 OK 再见"


def test_rest_of_a_text_follows_what_was_seen() -> None:
    assert skip_text("Hello and thanks.", "Hello and") == " thanks."
    assert skip_text("Hello and thanks.", "") == "Hello and thanks."
    assert skip_text("Hallo und danke dir sehr.", "Hello and thanks.") == " sehr."
    assert skip_text("Yes.", "Hello and thanks.") == ""


def test_speakers_after_z_have_two_letters() -> None:
    assert [write_letters(number) for number in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
