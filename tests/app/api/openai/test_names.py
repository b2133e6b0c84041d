"""Clients find the models under the names that they have built in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openai.types import Model

from tests.app.api.openai.running import TRANSLATIONS, ask, completes, working
from tests.app.conftest import MakeWeb
from tests.app.posting import rows

SHIPPED = {
    "large-v3-turbo": "large-v3-turbo",
    "tiny.en": "tiny.en",
    "base": "Systran/faster-whisper-base",
    "mine": "mobiuslabsgmbh/faster-whisper-large-v2",
}


@pytest.fixture
def several(make_web: MakeWeb, tmp_path: Path) -> Any:
    web = make_web(whisper={"models": SHIPPED, "model_size": "large-v3"}, models={"path": tmp_path})
    with working(web, completes([])):
        yield web


@pytest.mark.parametrize(
    ("name", "model"),
    [
        (None, "large-v3"), ("", "large-v3"), ("whisper-1", "large-v3"), ("whisper", "large-v3"),
        ("gpt-4o-transcribe", "large-v3"), ("gpt-4o-mini-transcribe", "large-v3"), ("gpt-transcribe", "large-v3"),
        ("gpt-4o-mini-transcribe-2025-12-15", "large-v3"), ("gpt-4o-transcribe-diarize", "large-v3"),
        ("whisper-large-v3", "large-v3"), ("large", "large-v3"), ("Systran/faster-whisper-large-v3", "large-v3"),
        ("openai/whisper-large-v3", "large-v3"), ("openai/whisper-1", "large-v3"), ("LARGE-V3", "large-v3"),
        ("whisper-large-v3-turbo", "large-v3-turbo"), ("turbo", "large-v3-turbo"),
        ("deepdml/faster-whisper-large-v3-turbo-ct2", "large-v3-turbo"), ("Systran/faster-whisper-base", "base"),
        ("whisper-base", "base"), ("openai/whisper-tiny.en", "tiny.en"), ("mine", "mine"), ("large-v2", "mine"),
    ],
)  # fmt: skip
def test_row_06_names_of_other_services_stand_for_models_of_this_one(
    several: Flask, name: str | None, model: str
) -> None:
    answer = ask(several, **({} if name is None else {"model": name}))
    assert answer.status_code == 200, answer.text
    assert json.loads(rows()[0].params)["model_size"] == model


@pytest.mark.parametrize("name", ["evil/whisper-large-v3", "small", "/etc/passwd", "gpt-4o", "whisper-2", "align:de"])
def test_other_names_are_unknown(several: Flask, name: str) -> None:
    assert ask(several, model=name).get_json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("name", "used"), [("turbo", "large-v3"), ("tiny.en", "large-v3"), ("mine", "mine"), ("base", "base")]
)
def test_model_that_cannot_translate_is_replaced_with_a_warning(several: Flask, name: str, used: str) -> None:
    answer = ask(several, TRANSLATIONS, model=name)
    (row,) = rows()
    assert json.loads(row.params)["model_size"] == used
    assert ("X-Speech-Warnings" in answer.headers) == (name not in ("mine", "base"))


def test_translation_without_a_model_for_it_is_400(make_web: MakeWeb, tmp_path: Path) -> None:
    web = make_web(whisper={"models": {}, "model_size": "distil-large-v3"}, models={"path": tmp_path})
    with working(web, completes([])):
        error = ask(web, TRANSLATIONS).get_json()["error"]
    assert (error["param"], error["message"]) == ("model", "model: No model of this server can translate.")


def test_models_are_listed_with_their_aliases(several: Flask) -> None:
    body = several.test_client().get("/v1/models").get_json()
    names = [entry["id"] for entry in body["data"]]
    assert body["object"] == "list" and len(set(names)) == len(names)
    assert {
        "whisper-1",
        "gpt-4o-transcribe-diarize",
        "whisper-large-v3",
        "whisper-large-v3-turbo",
        "large-v3",
        "mine",
    } <= set(names)
    for entry in body["data"]:
        Model.model_validate(entry, strict=True)
        assert entry["task"] == "automatic-speech-recognition"
        assert (entry["language"] == ["en"]) == entry["id"].endswith(".en")
        assert several.test_client().get(f"/v1/models/{entry['id']}").get_json() == entry


@pytest.mark.parametrize(
    ("query", "any_"), [("", True), ("?task=automatic-speech-recognition", True), ("?task=text-to-speech", False)]
)
def test_models_are_filtered_by_task(web: Flask, query: str, any_: bool) -> None:
    assert bool(web.test_client().get(f"/v1/models{query}").get_json()["data"]) is any_


@pytest.mark.parametrize("path", ["/models", "/v1/models", "/openai/v1/models", "/v1/models/"])
def test_row_28_models_are_found_with_and_without_version(web: Flask, path: str) -> None:
    body = web.test_client().get(path).get_json()
    assert body["object"] == "list" and "whisper-1" in [entry["id"] for entry in body["data"]]


@pytest.mark.parametrize("base", ["", "/v1"])
def test_row_29_model_with_a_slash_in_its_name_is_found(several: Flask, base: str) -> None:
    body = several.test_client().get(f"{base}/models/Systran%2Ffaster-whisper-large-v3").get_json()
    assert (body["id"], body["object"]) == ("Systran/faster-whisper-large-v3", "model")


@pytest.mark.parametrize("path", ["/v1/models/nothing", "/models/nothing", "/v1/models/evil/repo"])
def test_unknown_model_is_404_in_the_shape_of_openai(web: Flask, path: str) -> None:
    answer = web.test_client().get(path)
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (404, "invalid_request_error", "model_not_found")
