"""Parse the query and the form of a submission."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Generic

from flask import Request, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from marshmallow.fields import Boolean
from webargs.flaskparser import FlaskParser

from app.api.query import TWICE, describe_errors, parse_query
from app.core.params import FILE_URL, P_co, Params
from app.current import get_settings
from app.http_errors import reject
from app.schemas.fields import Number, drop_empty
from app.schemas.options import SubmissionOptions, SubmissionOptionsSchema
from app.submission import body, urls

OF_RECORDING = ("file", FILE_URL)  # beside the parameters of the schema
OPTIONS = frozenset(SubmissionOptionsSchema().fields)


@dataclass(frozen=True)
class Submission(Generic[P_co]):
    """The parsed request for a task.

    Without ``file_url``, the recording is the request's upload.
    """

    params: P_co
    file_url: str | None
    options: SubmissionOptions = field(default_factory=SubmissionOptions)


class ParametersParser(FlaskParser):
    """Parse query and form into a Submission.

    Each parameter may be given once. An empty value means the default: HTML forms send every field.
    """

    # Empty: the schema rejects unknown parameters. By default, webargs ignores them.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}
    options: Collection[str] = OPTIONS
    repeatable: Collection[str] = ()

    def parse(self, *args: Any, **kwargs: Any) -> Submission[Params] | SubmissionOptions:
        body.require_form(request)
        parsed = super().parse(*args, **kwargs)
        return parsed if isinstance(parsed, SubmissionOptions) else Submission(parsed, urls.read_file_url(request))

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        is_options = isinstance(schema, SubmissionOptionsSchema)
        flags = body.list_names_without_value(req)
        given: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for place in (parse_query(req), req.form):
            for written, sent in place.lists():
                name = written or ""  # a part of a form may lack a name
                if (name in self.options) != is_options:
                    continue
                field = schema.fields.get(name)
                values = [value for value in sent if value] if name in OF_RECORDING else drop_empty(sent, field)
                if name in flags and isinstance(field, Boolean):
                    errors[name] = [f"Has no value; write {name}=true or {name}=false."]
                # Some clients send a list as a repeated parameter.
                repeatable = (name == "suppress_tokens" and name not in given) or name in self.repeatable
                if values and not repeatable and (name in given or len(values) > 1):
                    errors[name] = [TWICE, str(field.error_messages["list"])] if isinstance(field, Number) else [TWICE]
                if values:
                    given[name] = values if len(values) > 1 else values[0]
        if is_options and not errors:
            return given
        if "file" in given:
            errors["file"] = ["Must be a file, not text: curl -F file=@recording.wav"]
        errors |= {name: say for name, say in self.check_recordings(req).items() if name not in errors}
        if errors:
            raise ValidationError(errors)
        given.pop(FILE_URL, None)
        return given

    def check_recordings(self, req: Request) -> dict[str, list[str]]:
        """List what is wrong with the recordings, by field, as far as the parameters tell."""
        url = urls.read_file_url(req)
        return urls.validate_url(url, req.files.keys(), get_settings().fetch) if url else {}

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        reject(describe_errors(error, schema, [*schema.fields, *OF_RECORDING, *self.options]))


class SubmissionBlueprint(Blueprint):
    """A blueprint whose views get a Submission."""

    ARGUMENTS_PARSER = ParametersParser()
