"""The OpenAPI document of whisper-asr-webservice's contract is valid, and describes what is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.api.asr.parameters import DETECTION_NAMES, TRANSCRIPTION_NAMES, WEBHOOK


@pytest.fixture
def document(web: Flask) -> dict[str, Any]:
    answer = web.test_client().get("/openapi/asr.json")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.get_json()
    return body


def named(document: dict[str, Any], path: str) -> set[str]:
    return {parameter["name"] for parameter in document["paths"][path]["post"]["parameters"]}


def test_document_of_the_contract_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_parameter_of_the_contract_is_described(document: dict[str, Any]) -> None:
    of_openai = {"prompt", "temperature"}
    own = {"output", "output_format", "word_timestamps", WEBHOOK}
    assert named(document, "/asr") == set(TRANSCRIPTION_NAMES) - of_openai | own
    assert named(document, "/detect-language") == {*DETECTION_NAMES, WEBHOOK}
