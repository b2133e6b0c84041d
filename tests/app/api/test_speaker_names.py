"""PATCH /task/<identifier>: names of speakers show in the task and in every file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import tasks
from tests.app.calling import Caller, make_key
from tests.app.posting import refused, submitted
from tests.app.rows import claimed, completed, row

RESULT = [
    {"start": 0.5, "end": 1.25, "text": "grüß dich", "words": [], "speaker": "SPEAKER_00"},
    {"start": 2.0, "end": 3.0, "text": "hello", "words": [], "speaker": "SPEAKER_01"},
]
TURNS = [[0.5, 1.25, "SPEAKER_00"], [1.0, 3.0, "SPEAKER_01"], [3.0, 3.1, "SPEAKER_02"]]


def finished(web: Flask, query: str = "?is_diarize=true", turns: Any = TURNS) -> str:
    identifier = submitted(web, query)
    text = None if turns is None else json.dumps(turns)
    assert tasks.complete(claimed(), "json", json.dumps(RESULT), [], 0.5, speaker_turns=text, audio_duration=4.0)
    return identifier


def name(web: Flask, identifier: str, names: Any) -> TestResponse:
    return web.test_client().patch(f"/task/{identifier}", json={"speaker_names": names})


def file(web: Flask, identifier: str, query: str) -> str:
    answer = web.test_client().get(f"/task/{identifier}/result?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_names_show_in_the_task_and_in_its_files(anywhere: Flask) -> None:
    identifier = finished(anywhere)
    before = {form: file(anywhere, identifier, f"format={form}") for form in ("srt", "textgrid", "rttm", "json")}
    answer = name(anywhere, identifier, {"SPEAKER_00": "Maria", "SPEAKER_02": "Öztürk"})
    names = {"SPEAKER_00": "Maria", "SPEAKER_02": "Öztürk"}
    assert (answer.status_code, answer.get_json()) == (200, {"identifier": identifier, "speaker_names": names})
    shown = anywhere.test_client().get(f"/task/{identifier}").get_json()
    assert (shown["speaker_names"], shown["speaker_turns"]) == (names, TURNS) and shown["result"] == RESULT
    listed = anywhere.test_client().get("/task").get_json()["tasks"][0]
    assert listed["speaker_names"] == names and "speaker_turns" not in listed
    for form in ("srt", "textgrid", "rttm"):
        assert file(anywhere, identifier, f"format={form}") == before[form].replace("SPEAKER_00", "Maria").replace(
            "SPEAKER_02", "Öztürk"
        )
        assert file(anywhere, identifier, f"format={form}&names=false") == before[form]
    assert file(anywhere, identifier, "format=json") == before["json"]


def test_name_that_is_taken_back_leaves_the_label(web: Flask) -> None:
    identifier = finished(web)
    before = file(web, identifier, "format=txt")
    assert name(web, identifier, {"SPEAKER_00": "Maria"}).status_code == 200
    assert file(web, identifier, "format=txt").startswith("Maria: ")
    assert name(web, identifier, {"SPEAKER_00": None}).get_json()["speaker_names"] == {}
    assert file(web, identifier, "format=txt") == before


@pytest.mark.parametrize("names", [{"SPEAKER_00": "=1"}, {"SPEAKER_09": "Maria"}, {"": None}, [], {"SPEAKER_00": 1}])
def test_unfit_name_or_label_is_422(web: Flask, names: Any) -> None:
    identifier = finished(web)
    refused(name(web, identifier, names), 422, "speaker_names")
    assert row(identifier).speaker_names == "{}"


def test_unknown_label_is_answered_with_the_known_ones(web: Flask) -> None:
    (say,) = refused(name(web, finished(web), {"Maria": "x"}), 422, "speaker_names")["errors"]["speaker_names"]
    assert say == "Unknown speaker 'Maria'; the speakers are SPEAKER_00, SPEAKER_01, SPEAKER_02."
    tasks.submit("vad", "vad", {}, "a.wav", [])
    completed('[{"start": 0, "end": 1}]')
    (say,) = refused(name(web, "vad", {"A": "x"}), 422, "speaker_names")["errors"]["speaker_names"]
    assert say.endswith("there are no speakers.")


def test_speakers_of_an_unfinished_task_have_no_names(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    refused(name(anywhere, identifier, {"SPEAKER_00": "Maria"}), 409)
    tasks.fail(claimed(), "no_audio", "", [], None)
    refused(name(anywhere, identifier, {"SPEAKER_00": "Maria"}), 409)
    refused(name(anywhere, "unknown", {"SPEAKER_00": "Maria"}), 404)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":' * 50_000, b'{"speaker_names": {}, "speaker_names": {}}'])
def test_unreadable_names_are_400(web: Flask, body: bytes) -> None:
    refused(web.test_client().patch(f"/task/{finished(web)}", data=body, content_type="application/json"), 400)


def test_names_of_another_keys_task_cannot_be_changed(anywhere: Flask) -> None:
    alice, bob = Caller(anywhere, make_key("alice")), Caller(anywhere, make_key("bob"))
    identifier = alice.submit()
    completed(json.dumps(RESULT))
    body = {"speaker_names": {"SPEAKER_00": "Maria"}}
    assert bob.open(f"/task/{identifier}", "PATCH", json=body).status_code == 404
    assert row(identifier).speaker_names == "{}"
    assert alice.open(f"/task/{identifier}", "PATCH", json=body).status_code == 200


def test_task_without_speaker_turns_has_no_rttm(web: Flask) -> None:
    for query in ("", "?is_diarize=true"):  # not asked for, and failed
        identifier = finished(web, query, turns=None)
        answer = web.test_client().get(f"/task/{identifier}/result?format=rttm")
        (say,) = refused(answer, 422, "format")["errors"]["format"]
        assert "is_diarize=true" in say


def test_choice_without_effect_is_422(web: Flask) -> None:
    identifier = finished(web)
    for query, field in (
        ("format=srt&words=true", "words"),
        ("names=false", "names"),
        ("format=qda&stamps=x", "stamps"),
    ):
        refused(web.test_client().get(f"/task/{identifier}/result?{query}"), 422, field)
    tasks.submit("vad", "vad", {}, "a.wav", [])
    completed('[{"start": 0, "end": 1}]')
    refused(web.test_client().get("/task/vad/result?format=eaf&words=true"), 422, "words")


def test_choices_change_the_file(web: Flask) -> None:
    identifier = finished(web)
    assert "- words" in file(web, identifier, "format=textgrid")
    assert "- words" not in file(web, identifier, "format=textgrid&words=false")
    assert file(web, identifier, "format=qda&stamps=f4").startswith("SPEAKER_00: grüß dich #00:00:01-2#")
