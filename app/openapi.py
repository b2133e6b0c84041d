"""What the OpenAPI document says beyond the schemas: the upload's body, every error with an example, the version."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask
from flask_smorest import Blueprint
from marshmallow import Schema

from app.schemas.task import IDENTIFIER, SUBMITTED_EXAMPLE, Submitted

TITLE = "Speech API"
VERSION = "0.1.0"
DESCRIPTION = """
Send a recording, poll the task, take the result:

```sh
curl -F file=@recording.wav http://localhost:8000/transcription
curl http://localhost:8000/task/IDENTIFIER
```

Parameters go into the query or into form fields beside the file. Instead of `file`, `file_url` names an http(s) URL that the
server downloads.
"""

MESSAGES: dict[int, tuple[str, dict[str, list[str]] | None]] = {
    400: ("The browser (or proxy) sent a request that this server could not understand.", None),
    404: ("There is no task with this identifier.", None),
    409: ("The task is IN_PROGRESS; its result is not there yet.", None),
    410: ("The files of this task were removed at 2026-11-22T13:10:00.000Z; its result stays.", None),
    413: ("The data value transmitted exceeds the capacity limit.", None),
    416: ("The requested range is not in the file.", None),
    422: (
        "The request cannot be accepted.",
        {"threshold": ["Must be greater than or equal to 0 and less than or equal to 1."]},
    ),
    408: ("The request's body arrived at less than 1 kB/s for 30 s.", None),
    429: ("The queue is full; try again later.", None),
    503: ("The database is temporarily unavailable; try again.", None),
    507: ("The server has no room for this recording; try again later.", None),
}
SUBMISSION_ERRORS = (400, 408, 413, 422, 429, 503, 507)

View = Callable[..., Any]


def configure(app: Flask) -> None:
    """Settings of flask-smorest; the pages themselves are ours (api/docs.py)."""
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"info": {"description": DESCRIPTION}},
    )


def documented_errors(blueprint: Blueprint, *codes: int, **say: str) -> Callable[[View], View]:
    """Describe each error a view may answer, with an example of its body; ``say_409=`` and the like give it other words."""

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


def documented_submission(blueprint: Blueprint, parameters: type[Schema]) -> Callable[[View], View]:
    """Parse ``parameters`` from query and form, and describe the upload's body and every answer."""

    def decorate(view: View) -> View:
        view = blueprint.arguments(parameters, location="query")(view)
        headers = {"Location": {"description": f"/task/{IDENTIFIER}", "schema": {"type": "string"}}}
        example = SUBMITTED_EXAMPLE | {"message": f"{blueprint.name} task has queued"}
        view = blueprint.response(201, Submitted, example=example, headers=headers)(view)
        view = documented_errors(blueprint, *SUBMISSION_ERRORS)(view)
        described: View = blueprint.doc(requestBody=_multipart())(view)
        return described

    return decorate


def _multipart() -> dict[str, Any]:
    recording = {"type": "string", "format": "binary", "description": "Audio or video, in any common format."}
    link = {
        "type": "string",
        "format": "uri",
        "example": "",  # else Swagger UI makes one up and sends it beside the file
        "description": (
            "http(s) URL of the recording, in place of `file`; it may also stand in the query. It is downloaded while the task "
            "is QUEUED, with `stage` `download`. `task_params` shows it without its query."
        ),
    }
    schema = {
        "type": "object",
        "oneOf": [{"required": ["file"]}, {"required": ["file_url"]}],
        "properties": {"file": recording, "file_url": link},
        "description": "Every query parameter may be sent as a form field instead, but not both.",
        "additionalProperties": {"type": "string"},
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
