"""The OpenAPI document of OpenAI's paths is valid, and names what the server accepts."""

from __future__ import annotations

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.api.openai.asked import FORMATS


def test_document_of_openai_is_valid(web: Flask) -> None:
    document = web.test_client().get("/openapi/openai.json").get_json()
    validate(document)
    fields = document["paths"]["/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    assert fields["properties"]["response_format"]["enum"] == list(FORMATS)
    assert "mini" in fields["properties"]["model"]["enum"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_documented_paths_of_openai_are_served(web: Flask, method: str) -> None:
    document = web.test_client().get("/openapi/openai.json").get_json()
    for path, operations in document["paths"].items():
        if method in operations:
            answer = web.test_client().open(f"/v1{path}".replace("{model}", "whisper-1"), method=method.upper())
            assert answer.status_code in (200, 503), path
            assert str(answer.status_code) in operations[method]["responses"]
