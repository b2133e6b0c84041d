"""Parse the query and the form of a batch: many recordings, one set of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request, request
from flask_smorest import Blueprint
from marshmallow import ValidationError

from app.api.query import describe_errors, parse_query
from app.core.db.states import TRANSCRIPTION
from app.core.net.addresses import parse_url
from app.core.params import FILE_URL, Params
from app.current import get_settings
from app.http_errors import reject
from app.schemas.batch import BatchOptionsSchema
from app.submission import uploads, urls
from app.submission.batches import Recording
from app.submission.kinds import KINDS
from app.submission.parser import OF_RECORDING, ParametersParser

FORM_PARTS = 200  # beside the recordings
NO_RECORDINGS = "Send the recordings as multipart form fields 'file', or their URLs as 'file_url'."


@dataclass(frozen=True)
class BatchSubmission:
    """The parsed request for a batch: uploads in their order, then URLs."""

    params: Params
    recordings: Sequence[Recording]


class BatchParser(ParametersParser):
    """Parse query and form into BatchOptions, and a BatchSubmission with the parameters of the kind of task.

    The documentation shows the parameters of a transcription, which has all of them.
    """

    options = frozenset(BatchOptionsSchema().fields)
    repeatable = (FILE_URL,)

    def parse(self, argmap: Any, *args: Any, **kwargs: Any) -> Any:
        request.max_form_parts = get_settings().limits.max_batch + FORM_PARTS
        if isinstance(argmap, BatchOptionsSchema) or argmap is BatchOptionsSchema:
            return super().parse(argmap, *args, **kwargs)
        chosen: Any = KINDS[_read_task_type(request)].schema()
        parsed: Any = super().parse(chosen, *args, **kwargs)
        return BatchSubmission(parsed.params, _read_recordings(request))

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages = describe_errors(error, schema, [*schema.fields, *OF_RECORDING, *self.options])
        for name in messages.keys() & (KINDS[TRANSCRIPTION].schema().fields.keys() - schema.fields.keys()):
            messages[name] = [f"Tasks of type {_read_task_type(req)} do not have this parameter."]
        reject(messages)

    def check_recordings(self, req: Request) -> dict[str, list[str]]:
        fetch = get_settings().fetch
        found = [urls.find_mistake(url, fetch) for url in urls.read_file_urls(req)]
        wrong = [f"URL {number}: {say}" for number, say in enumerate(found, 1) if say]
        unknown = {name: [uploads.UNKNOWN_FIELD] for name in req.files if name != "file"}
        return unknown | ({FILE_URL: wrong} if wrong else {})


class BatchBlueprint(Blueprint):
    """A blueprint whose view gets BatchOptions and a BatchSubmission."""

    ARGUMENTS_PARSER = BatchParser()


def _read_task_type(req: Request) -> str:
    """Read the kind of task, which has been validated before."""
    sent = (parse_query(req).get("task_type", ""), req.form.get("task_type", ""))
    return next((kind.strip() for kind in sent if kind.strip()), TRANSCRIPTION)


def _read_recordings(req: Request) -> list[Recording]:
    """Return all recordings; answer 422 for none, too many, or an empty one."""
    files, links = uploads.read_uploads(req), urls.read_file_urls(req)
    limits = get_settings().limits
    most = min(limits.max_batch, limits.max_queued)
    if not files and not links:
        reject({"file": [NO_RECORDINGS]})
    if len(files) + len(links) > most:
        say = f"A batch has at most {most} recordings, not {len(files) + len(links)}; send several batches."
        reject({"file" if files else FILE_URL: [say]})
    empty = [number for number, file in enumerate(files, 1) if uploads.is_empty(file)]
    if empty:
        reject({"file": [_name(number, files[number - 1]) for number in empty]})
    return [*files, *(parse_url(url) for url in links)]


def _name(number: int, file: Any) -> str:
    return f"File {number} ({uploads.file_label(file)!r:.100}) is empty."
