"""A golden body for each output, as clients of whisper-asr-webservice read it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import srt
import webvtt
from flask import Flask

from tests.app.api.asr.conftest import Ending, said

TALK = [
    said("Grüß Gott, <i>ihr</i> --> da.", 0.4, 2.0, "SPEAKER_00"),
    said("Danke!", 62.5, 63.25, "SPEAKER_01"),
]
GOLDEN = {
    "txt": "[SPEAKER_00]: Grüß Gott, <i>ihr</i> --> da.\n[SPEAKER_01]: Danke!\n",
    "tsv": "start\tend\ttext\n400\t2000\tGrüß Gott, <i>ihr</i> --> da.\n62500\t63250\tDanke!\n",
    "srt": (
        "1\n00:00:00,400 --> 00:00:02,000\n[SPEAKER_00]: Grüß Gott,\n<\u200bi>ihr<\u200b/i> --\u200b> da.\n\n"
        "2\n00:01:02,500 --> 00:01:03,250\n[SPEAKER_01]: Danke!\n\n"
    ),
    "vtt": (
        "WEBVTT\n\n00:00:00.400 --> 00:00:02.000\n[SPEAKER_00]: Grüß Gott,\n&lt;i&gt;ihr&lt;/i&gt; --&gt; da.\n\n"
        "00:01:02.500 --> 00:01:03.250\n[SPEAKER_01]: Danke!\n\n"
    ),
}


@pytest.fixture
def answered(web: Flask, ending: Ending) -> Any:
    """The body of an answer with this result."""

    def send(query: str, result: Any = TALK, **facts: Any) -> str:
        ending(result, **facts)
        answer = web.test_client().post(f"/asr{query}", data={"audio_file": (io.BytesIO(b"sound"), "a.wav")})
        assert answer.status_code == 200, answer.text
        return answer.data.decode()

    return send


@pytest.mark.parametrize("output", GOLDEN)
def test_row_18_output_is_the_golden_one(answered: Any, output: str) -> None:
    assert answered(f"?output={output}") == GOLDEN[output]


def test_subtitles_are_read_by_other_parsers(answered: Any) -> None:
    assert len(list(srt.parse(answered("?output=srt")))) == 2
    assert len(list(webvtt.from_buffer(io.StringIO(answered("?output=vtt"))))) == 2


def test_word_times_are_in_vtt_on_request(answered: Any) -> None:
    timed = answered("?output=vtt&word_timestamps=true", [said("so it is", 0.0, 0.9)])
    assert timed == "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nso <00:00:00.300>it <00:00:00.600>is\n\n"


def test_json_is_the_golden_one(answered: Any) -> None:
    word = {"word": "Danke!", "start": 62.5, "end": 63.25, "probability": 0.9, "score": 0.9, "speaker": "SPEAKER_01"}
    numbers = {
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.1,
        "compression_ratio": 0.7,
        "no_speech_prob": 0.01,
    }
    assert json.loads(answered("?output=json", TALK[1:], language="de")) == {
        "text": "Danke!",
        "language": "de",
        "segments": [
            {"id": 0, "seek": 0, "start": 62.5, "end": 63.25, "text": " Danke!", "speaker": "SPEAKER_01"}
            | numbers
            | {"words": [word]}
        ],
        "word_segments": [word],
    }


def test_json_leaves_out_what_is_not_known(answered: Any) -> None:
    body = json.loads(answered("?output=json", [said("one two", 0.0, 1.0)]))
    assert set(body) == {"text", "segments", "word_segments"}
    assert "speaker" not in body["segments"][0] and "speaker" not in body["word_segments"][0]


def test_json_of_a_translation_has_null_words(answered: Any) -> None:
    body = json.loads(answered("?output=json&task=translate", [said("one two", 0.0, 1.0, timed=False)], language="de"))
    assert body["segments"][0]["words"] is None and body["word_segments"] == []


def test_json_has_the_warnings(answered: Any) -> None:
    body = json.loads(answered("?output=json&nonsense=1", [said("one", 0.0, 1.0)]))
    assert body["warnings"] == ["nonsense has no effect: /asr has no such parameter."]


@pytest.mark.parametrize(("language", "text"), [("de", "你好 谢谢"), ("zh", "你好谢谢")])
def test_segments_join_to_the_text(answered: Any, language: str, text: str) -> None:
    body = json.loads(answered("?output=json", [said("你好", 0.0, 1.0), said("谢谢", 1.0, 2.0)], language=language))
    assert body["text"] == text == "".join(segment["text"] for segment in body["segments"]).strip()


@pytest.mark.parametrize(
    ("output", "body"),
    [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n\n"), ("tsv", "start\tend\ttext\n")],
)
def test_silence_is_an_empty_answer(answered: Any, output: str, body: str) -> None:
    assert answered(f"?output={output}", []) == body


def test_silence_is_empty_json(answered: Any) -> None:
    assert json.loads(answered("?output=json", [])) == {"text": "", "segments": [], "word_segments": []}
