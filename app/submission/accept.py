"""Accept a piece of work: check the parameters, store the recording, commit the row, and only then answer."""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import FileStorage

from app.api.query import query
from app.core.db import tasks
from app.core.net.addresses import parse
from app.core.storage.paths import folder_of
from app.current import get_settings
from app.http_errors import reject
from app.schemas.parameters import Parameters
from app.submission import uploads, urls


class ParametersParser(FlaskParser):
    """Parameters as query parameters or form fields, each exactly once, over the server's defaults."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        assert isinstance(schema, Parameters)
        given: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for place in (query(req), req.form):
            for name, values in place.lists():
                repeatable = name == "suppress_tokens" and name not in given
                if name in given or (len(values) > 1 and not repeatable):
                    errors[name] = ["Given more than once."]
                given[name] = values if repeatable and len(values) > 1 else _nothing_said(values[0], schema, name)
        if "file" in given:
            errors["file"] = ["Must be a file, not text: curl -F file=@recording.wav"]
        g.file_url = urls.asked(given)
        if g.file_url and "file_url" not in errors:
            errors |= urls.mistakes(g.file_url, req.files.keys(), get_settings().fetch)
        if errors:
            raise ValidationError(errors)
        given.pop("file_url", None)
        return schema.configured(get_settings()) | given

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages = error.messages.get("query", error.messages) if isinstance(error.messages, dict) else {}
        reject(messages)


class SubmissionBlueprint(Blueprint):
    """A blueprint whose arguments come from the query and the form alike."""

    ARGUMENTS_PARSER = ParametersParser()


def _nothing_said(value: str, schema: Schema, name: str) -> str | None:
    """An empty text means null where null is allowed: HTML forms and some clients send every field."""
    field = schema.fields.get(name)
    return None if value == "" and field is not None and field.allow_none else value


def submit(task_type: str, params: dict[str, Any], warnings: Sequence[str] = ()) -> ResponseReturnValue:
    """Queue the request's recording as a task, with what it warns of so far, and return the answer of POST.

    Answers 422 without exactly one non-empty file or usable URL, 507 when the disk is full.
    """
    settings = get_settings()
    link = parse(g.file_url) if g.file_url else None
    upload = None if link else uploads.received(request)
    stored = {name: None if value == math.inf else value for name, value in params.items() if name != "hf_token"}
    identifier = str(uuid.uuid4())
    if upload is not None:
        _keep(upload, folder_of(settings.cache.path, identifier))
        # When the commit fails, the row may exist or not: the folder stays, and the purge removes it if there is no row.
        tasks.submit(identifier, task_type, stored, uploads.label(upload), list(warnings))
    elif link is not None:
        uploads.check_space(settings.cache.path, settings.limits.min_free_mb)
        urls.admit(link, settings.fetch)
        stored["file_url"] = link.shown
        tasks.submit(identifier, task_type, stored, link.label, list(warnings), source_url=link.url)
    name = task_type.replace("-", " ").capitalize()
    answer = {"identifier": identifier, "status": "QUEUED", "message": f"{name} task has queued"}
    return answer, 201, {"Location": url_for("Task.show", identifier=identifier)}


def _keep(upload: FileStorage, folder: Path) -> None:
    try:
        uploads.keep(upload, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
