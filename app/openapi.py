"""The OpenAPI document beyond the schemas.

It adds the version, the upload body and an example of every error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Flask
from flask_smorest import Blueprint
from marshmallow import Schema

from app.core.catalog.catalog import separation_models, whisper_models
from app.core.settings import Settings
from app.schemas.link import LINK, URL
from app.schemas.options import SubmissionOptions, SubmissionOptionsSchema
from app.schemas.task import IDENTIFIER, SUBMITTED_EXAMPLE, Submitted

TITLE = "Speech API"
VERSION = "0.1.0"
DESCRIPTION = """
Submit a recording, poll the task, read the result:

```sh
curl -F file=@recording.wav http://localhost:8000/transcription
curl http://localhost:8000/task/IDENTIFIER
```

Send parameters in the query or as form fields. Instead of `file`, send `file_url`, an http(s) URL that the server downloads.
"""

MESSAGES: dict[int, tuple[str, dict[str, list[str]] | None]] = {
    400: ("The browser (or proxy) sent a request that this server could not understand.", None),
    401: ("A valid API key is needed.", None),
    403: ("This needs an admin key.", None),
    404: ("There is no task with this identifier.", None),
    409: ("The task is IN_PROGRESS; its result is not available yet.", None),
    410: ("The files of this task were removed at 2026-11-22T13:10:00.000Z; its result is still available.", None),
    415: ("The body is JSON, not a form.", None),
    413: ("The data value transmitted exceeds the capacity limit.", None),
    416: ("The requested range is outside the file.", None),
    422: (
        "The request cannot be accepted.",
        {"threshold": ["Must be greater than or equal to 0 and less than or equal to 1."]},
    ),
    408: ("The request body arrived at less than 1 kB/s for 30 s.", None),
    429: ("The queue is full; try again later.", None),
    503: ("The database is temporarily unavailable; try again.", None),
    507: ("Not enough disk space for this recording; try again later.", None),
}
RECORDING = {
    "type": "string",
    "format": "binary",
    "minLength": 1,
    "description": "Audio or video, in any common format.",
}
SUBMISSION_ERRORS = (400, 408, 413, 415, 422, 429, 503, 507)

View = Callable[..., Any]


def configure_openapi(app: Flask) -> None:
    """Configure flask-smorest; api/docs.py serves the pages."""
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"info": {"description": DESCRIPTION}},
    )


def complete_document(document: dict[str, Any], settings: Settings) -> None:
    """Add what the schemas do not say about parameters of the query.

    These are the models of this server, and that an empty value means the default.
    """
    models = {"model_size": whisper_models(settings), "uvr_model_size": separation_models(settings)}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for operation in operations:
        # The parameters of a path, unlike those of its operations, come as a list.
        for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
            if parameter["in"] != "query":
                continue
            parameter["allowEmptyValue"] = not parameter.get("required")
            if parameter["name"] in models:
                parameter["schema"]["enum"] = sorted(models[parameter["name"]])


def document_errors(blueprint: Blueprint, *codes: int, **say: str) -> Callable[[View], View]:
    """Document the errors of a view with example bodies.

    ``say_409`` replaces the message of the 409, and so on.
    """

    def decorate(view: View) -> View:
        for code in codes:
            message, errors = MESSAGES[code]
            message = say.get(f"say_{code}", message)
            example: dict[str, Any] = {"code": code, "status": HTTPStatus(code).phrase, "message": message}
            if errors:
                example["errors"] = errors
            describe = blueprint.alt_response(
                code, schema="Error", example=example, description=HTTPStatus(code).phrase
            )
            view = describe(view)
        return view

    return decorate


def document_submission(blueprint: Blueprint, parameters: type[Schema]) -> Callable[[View], View]:
    """Parse ``parameters``; document body and responses.

    Parameters come from the query and the form.
    """

    def decorate(view: View) -> View:
        view = _join_arguments(view)
        view = blueprint.arguments(parameters, location="query")(view)
        view = blueprint.arguments(SubmissionOptionsSchema, location="query")(view)
        headers = {"Location": {"description": f"/task/{IDENTIFIER}", "schema": {"type": "string"}}}
        example = SUBMITTED_EXAMPLE | {"message": f"{blueprint.name} task has queued"}
        view = blueprint.response(201, Submitted, example=example, headers=headers)(view)
        view = document_errors(blueprint, *SUBMISSION_ERRORS)(view)
        described: View = blueprint.doc(requestBody=_describe_body())(view)
        return described

    return decorate


def document_batch(blueprint: Blueprint, answer: type[Schema], example: dict[str, Any]) -> Callable[[View], View]:
    """Document body and responses of a submission with several recordings."""

    def decorate(view: View) -> View:
        headers = {"Location": {"description": "/batch/{identifier}", "schema": {"type": "string"}}}
        view = blueprint.response(201, answer, example=example, headers=headers)(view)
        view = document_errors(blueprint, *SUBMISSION_ERRORS)(view)
        described: View = blueprint.doc(requestBody=_describe_batch_body())(view)
        return described

    return decorate


def _join_arguments(view: View) -> View:
    """Give the view one Submission, with its options."""

    @wraps(view)
    def joined(options: SubmissionOptions, submission: Any, **names: str) -> Any:
        return view(replace(submission, options=options), **names)

    return joined


def _describe_batch_body() -> dict[str, Any]:
    files = {"type": "array", "items": RECORDING, "description": "The recordings."}
    links = {
        "type": "array",
        "items": {"type": "string"},
        "description": "http(s) URLs of further recordings; may also be sent in the query. They follow the files.",
    }
    urls = links | {"items": {"type": "string", "pattern": f"^{URL}$"}, "minItems": 1}
    beside = links | {"items": {"type": "string", "pattern": f"^({URL})?$"}}
    # Clients that send every field of a form send an empty file_url beside the files.
    some = (
        {"properties": {"file": files | {"minItems": 1}, "file_url": beside}, "required": ["file"]},
        {"properties": {"file_url": urls}, "required": ["file_url"]},
    )
    schema = {
        "type": "object",
        "properties": {"file": files, "file_url": links},  # Swagger UI makes its form of these
        "anyOf": [{"type": "object", "additionalProperties": False, **each} for each in some],
        "description": (
            "At least one `file` or `file_url`, at most `limits.max_batch` together. A query parameter may be sent as a further "
            "field of the form instead, but not in both places."
        ),
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _describe_body() -> dict[str, Any]:
    link = {
        "type": "string",
        "pattern": LINK,
        "example": "",  # without one, Swagger UI invents a URL and sends it along with the file
        "description": (
            "http(s) URL of the recording, instead of `file`; may also be sent in the query. The server downloads it while "
            "the task is QUEUED, with `stage` `download`. `task_params` shows the URL without its query string."
        ),
    }
    # Clients that send every field of a form send an empty file_url beside the file.
    empty = {"type": "string", "enum": [""]}
    exactly_one = (
        {"properties": {"file": RECORDING, "file_url": empty}, "required": ["file"]},
        {"properties": {"file_url": link | {"minLength": 1}}, "required": ["file_url"]},
    )
    schema = {
        "type": "object",
        "properties": {"file": RECORDING, "file_url": link},  # Swagger UI makes its form of these
        "oneOf": [{"type": "object", "additionalProperties": False, **each} for each in exactly_one],
        "description": (
            "Exactly one of `file` and `file_url`. A query parameter may be sent as a further field of the form instead, but "
            "not in both places."
        ),
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
