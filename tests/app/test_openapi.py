"""The OpenAPI document is valid and complete, and matches what the server does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.core.params import TranscriptionParams
from app.facade import list_facades
from app.openapi import MESSAGES, VERSION
from app.schemas.options import SubmissionOptionsSchema
from app.schemas.transcription import TranscriptionParameters
from tests.app.posting import post, refused, submitted

ERRORS = ("Error", "EditedMeanwhile")
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


@pytest.fixture
def document(web: Flask) -> dict[str, Any]:
    answer = web.test_client().get("/openapi.json")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.get_json()
    return body


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def parameters(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {described["name"]: described for described in document["paths"]["/transcription"]["post"]["parameters"]}


def test_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["info"]["version"] == VERSION


def test_every_route_is_documented(web: Flask, document: dict[str, Any]) -> None:
    # The contracts of other services have documents of their own, and the console's routes are its page's own.
    facades = [f"{facade.blueprint.name}." for facade in list_facades(web)]
    routes = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in web.url_map.iter_rules()
        if not rule.endpoint.startswith(("docs.", "api-docs.", "console.", *facades))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == {name for name, _ in operations(document)}


def test_every_operation_has_a_summary_and_belongs_to_a_described_tag(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags, name


def test_every_error_is_documented_with_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for code, answer in operation["responses"].items():
            if not code.isdigit() or code == "204":
                continue
            if "application/json" not in answer["content"]:
                assert code in ("200", "206"), f"{name} {code}: only files are not JSON"
                continue
            content = answer["content"]["application/json"]
            assert content["example"] and answer["description"], f"{name} {code}"
            if int(code) >= 400:
                assert content["schema"]["$ref"].removeprefix("#/components/schemas/") in ERRORS, f"{name} {code}"
                assert content["example"]["code"] == int(code) and content["example"]["message"], f"{name} {code}"
    schemas = document["components"]["schemas"]
    assert schemas["Error"]["properties"].keys() == {"code", "status", "message", "errors"}
    for name in ERRORS:
        assert {"code", "status", "message"} <= schemas[name]["properties"].keys()


def test_submission_documents_every_code_it_answers(document: dict[str, Any]) -> None:
    answers = set(document["paths"]["/transcription"]["post"]["responses"]) - {"default"}
    assert answers == {"201", "400", "401", "408", "413", "415", "422", "429", "503", "507"}
    assert set(document["paths"]["/task/{identifier}"]["get"]["responses"]) - {"default"} == {
        "200",
        "401",
        "404",
        "422",
        "429",
        "503",
    }
    assert {"404", "422"} < {str(code) for code in MESSAGES}


def test_documented_examples_are_what_the_server_answers(web: Flask, document: dict[str, Any]) -> None:
    def example(path: str, method: str, code: str) -> Any:
        return document["paths"][path][method]["responses"][code]["content"]["application/json"]["example"]

    assert example("/transcription", "post", "422") == post(web, "?threshold=2").get_json()
    assert example("/task/{identifier}", "get", "404") == web.test_client().get("/task/1").get_json()
    assert example("/transcription", "post", "201").keys() == post(web).get_json().keys()
    shown = web.test_client().get(f"/task/{submitted(web)}").get_json()
    assert example("/task/{identifier}", "get", "200").keys() == shown.keys()


def test_every_parameter_is_documented_with_its_default(document: dict[str, Any]) -> None:
    described = parameters(document)
    assert list(described) == [*TranscriptionParameters().fields, *SubmissionOptionsSchema().fields]
    defaults = {f.name: f.default for f in fields(TranscriptionParams) if f.default is not MISSING}
    for name, parameter in described.items():
        assert parameter["description"].endswith("."), name
        assert parameter["in"] == "query" and not parameter["required"], name
        schema = parameter["schema"]
        if name in defaults and name != "max_speech_duration_s":
            default = defaults[name]
            assert schema["default"] == (list(default) if isinstance(default, tuple) else default), name


def test_file_or_url_is_documented_as_required(document: dict[str, Any]) -> None:
    body = document["paths"]["/transcription"]["post"]["requestBody"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert body["required"] and [each["required"] for each in schema["oneOf"]] == [["file"], ["file_url"]]
    assert schema["properties"]["file"]["format"] == "binary"
    assert re.fullmatch(schema["properties"]["file_url"]["pattern"], "https://media.example/interview.mp3?x=1")


def test_models_are_those_of_this_server(web: Flask, document: dict[str, Any]) -> None:
    described = parameters(document)
    assert described["model_size"]["schema"]["enum"] == described["uvr_model_size"]["schema"]["enum"] == ["mini"]


@pytest.mark.parametrize(("path", "root"), [("/openapi.json", "./"), ("/openapi.json/", "../")])
def test_address_is_relative_to_the_document(web: Flask, path: str, root: str) -> None:
    assert web.test_client().get(path).get_json()["servers"] == [{"url": root}]


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.json/"])
def test_document_is_plain_json(web: Flask, path: str) -> None:
    answer = web.test_client().get(path)
    assert answer.mimetype == "application/json"
    json.loads(answer.text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "path", ["/nope", "/transcription/x", "/task//", "/healthz", "/health/x", "/favicon.ico", "/%00", "/ä"]
)
@pytest.mark.parametrize("method", METHODS)
def test_unknown_path_is_404_in_the_error_shape(web: Flask, path: str, method: str) -> None:
    refused(web.test_client().open(path, method=method), 404)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/transcription", "POST"),
        ("/task/x/result", "GET, PATCH"),
        ("/task/x/cancel", "POST"),
        ("/task", "GET"),
        ("/health/live", "GET"),
        ("/docs", "GET"),
        ("/openapi.json", "GET"),
    ],
)
def test_unknown_method_is_405_and_names_the_allowed_ones(web: Flask, path: str, allowed: str) -> None:
    for method in {*METHODS, "PROPFIND"} - set(allowed.split(", ")):
        answer = web.test_client().open(path, method=method)
        refused(answer, 405)
        assert set(allowed.split(", ")) <= set(answer.headers["Allow"].split(", "))
