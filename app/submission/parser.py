"""Parse the query and the form of a submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from flask import request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app.api.query import parse_query
from app.core.params import FILE_URL, P, Params
from app.current import get_settings
from app.http_errors import reject
from app.submission import urls


@dataclass(frozen=True)
class Submission(Generic[P]):
    """The parsed request for a task.

    Without ``file_url``, the recording is the request's upload.
    """

    params: P
    file_url: str | None


class ParametersParser(FlaskParser):
    """Parse query and form into a Submission.

    Each parameter may be given once.
    """

    # Empty: the schema rejects unknown parameters. By default, webargs ignores them.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}

    def parse(self, *args: Any, **kwargs: Any) -> Submission[Params]:
        return Submission(super().parse(*args, **kwargs), urls.read_file_url(request))

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        given: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for place in (parse_query(req), req.form):
            for name, values in place.lists():
                # Some clients send a list as a repeated parameter.
                repeatable = name == "suppress_tokens" and name not in given
                if name in given or (len(values) > 1 and not repeatable):
                    errors[name] = ["Given more than once."]
                given[name] = values if repeatable and len(values) > 1 else _read_empty(values[0], schema, name)
        if "file" in given:
            errors["file"] = ["Must be a file, not text: curl -F file=@recording.wav"]
        url = urls.read_file_url(req)
        if url and FILE_URL not in errors:
            errors |= urls.validate_url(url, req.files.keys(), get_settings().fetch)
        if errors:
            raise ValidationError(errors)
        given.pop(FILE_URL, None)
        return given

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages = error.messages.get("query", error.messages) if isinstance(error.messages, dict) else {}
        reject(messages)


class SubmissionBlueprint(Blueprint):
    """A blueprint whose views get a Submission."""

    ARGUMENTS_PARSER = ParametersParser()


def _read_empty(value: str, schema: Schema, name: str) -> str | None:
    """Read empty text as null where null is allowed.

    HTML forms send every field.
    """
    field = schema.fields.get(name)
    return None if value == "" and field is not None and field.allow_none else value
