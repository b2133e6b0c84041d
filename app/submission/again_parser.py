"""Parse a request for a new task with the recording of an earlier one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from flask import Request, g, request
from flask_smorest import Blueprint
from marshmallow import Schema

from app.api.lookup import find_task
from app.core.db.tasks import Task
from app.http_errors import reject
from app.schemas.again import AgainOptionsSchema
from app.schemas.options import SubmissionOptions
from app.submission.kinds import KINDS
from app.submission.parser import OF_RECORDING, ParametersParser, Submission

OWN_RECORDING = "Not accepted here: the new task has the recording of the earlier one."
OTHERWISE = "POST /task/<identifier>/align takes the text of its result."
_ROW = "again_row"


@dataclass(frozen=True)
class Again:
    """The parsed request: the earlier task, and the parameters of the new one."""

    row: Task
    submission: Submission[Any]

    def with_options(self, options: SubmissionOptions) -> Submission[Any]:
        return replace(self.submission, options=options)


class AgainParser(ParametersParser):
    """Parse query and form into options, and an Again. A parameter that was not sent keeps the value of the earlier task.

    The documentation shows the parameters of a transcription, which has all of them.
    """

    options = frozenset(AgainOptionsSchema().fields)

    def parse(self, argmap: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(argmap, AgainOptionsSchema) or argmap is AgainOptionsSchema:
            return super().parse(argmap, *args, **kwargs)
        row = _find_row()
        if row.task_type not in KINDS:
            reject({"identifier": [f"A task of type {row.task_type} cannot be processed again; {OTHERWISE}"]})
        submission: Any = super().parse(KINDS[row.task_type].schema(), *args, **kwargs)
        return Again(row, submission)

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        sent = super().load_querystring(req, schema)
        return sent if isinstance(schema, AgainOptionsSchema) else read_parameters(_find_row(), schema) | sent

    def check_recordings(self, req: Request) -> dict[str, list[str]]:
        sent = {*req.files, *(name for name in OF_RECORDING if req.values.get(name))}
        return {name: [OWN_RECORDING] for name in sorted(sent)}


class AgainBlueprint(Blueprint):
    """A blueprint whose view gets SubmissionOptions and an Again."""

    ARGUMENTS_PARSER = AgainParser()


def read_parameters(row: Task, schema: Schema) -> dict[str, Any]:
    """Read the parameters of a task as a client would send them.

    What is null in the row, but not for the schema, is a default that JSON lacks, such as infinity.
    """
    stored: dict[str, Any] = json.loads(row.params)
    known = {name: value for name, value in stored.items() if name in schema.fields}
    return {name: value for name, value in known.items() if value is not None or schema.fields[name].allow_none}


def _find_row() -> Task:
    """Find the task that the path names, once in a request."""
    row: Task | None = g.get(_ROW)
    if row is None:
        row = find_task((request.view_args or {})["identifier"])
        setattr(g, _ROW, row)
    return row
