"""Parameters are read from the query and the form, each given once."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from app.current import get_defaults
from tests.app.posting import assert_nothing_stored, post, refused, rows, submitted


@pytest.mark.parametrize("place", ["query", "form"])
def test_parameters_are_read_from_query_or_form(web: Flask, place: str) -> None:
    if place == "query":
        submitted(web, "?beam_size=3&lang=de&suppress_tokens=1&suppress_tokens=2")
    else:
        submitted(web, beam_size="3", lang="de", suppress_tokens=["1", "2"])
    params = json.loads(rows()[0].params)
    assert (params["beam_size"], params["lang"], params["suppress_tokens"]) == (3, "de", [1, 2])


def test_row_holds_every_parameter_with_defaults_filled_in(web: Flask) -> None:
    submitted(web, "?vad_filter=1")
    defaults = get_defaults(web)
    stored = json.loads(rows()[0].params)
    assert set(stored) == set(vars(defaults)) - {"hf_token"}
    assert stored["max_speech_duration_s"] is None and stored["vad_filter"] is True
    assert json.loads(rows()[0].warnings) == []


@pytest.mark.parametrize("name", ["beam_size", "lang", "suppress_tokens", "hf_token"])
def test_parameter_in_query_and_form_is_refused(web: Flask, name: str) -> None:
    value = "de" if name == "lang" else "1"
    body = refused(post(web, f"?{name}={value}", **{name: value}), 422, name)
    assert body["errors"][name] == ["Given more than once."]
    assert_nothing_stored(web)


@pytest.mark.parametrize("place", ["query", "form"])
def test_parameter_given_twice_is_refused(web: Flask, place: str) -> None:
    answer = post(web, "?lang=de&lang=de") if place == "query" else post(web, lang=["de", "de"])
    refused(answer, 422, "lang")
    assert_nothing_stored(web)


def test_all_invalid_parameters_are_named_in_one_response(web: Flask) -> None:
    refused(post(web, "?beam_size=0&lang=xx&nope=1&patience=nan"), 422, "beam_size", "lang", "nope", "patience")
    assert_nothing_stored(web)


def test_file_and_url_together_are_refused_in_query_and_form(web: Flask) -> None:
    for answer in (post(web, file_url="https://example.org/a.wav"), post(web, "?file_url=https://example.org/a.wav")):
        assert "not both" in refused(answer, 422, "file_url")["errors"]["file_url"][0]
    assert_nothing_stored(web)
