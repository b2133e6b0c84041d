"""POST /task/<identifier>/again: a new task with the recording of an earlier one."""

from __future__ import annotations

from dataclasses import replace

from flask.typing import ResponseReturnValue

from app.openapi import document_errors
from app.schemas.again import AgainOptionsSchema
from app.schemas.options import SubmissionOptions
from app.schemas.task import IDENTIFIER, SUBMITTED_EXAMPLE, Submitted
from app.schemas.transcription import TranscriptionParameters
from app.submission.again_parser import Again, AgainBlueprint
from app.submission.earlier import DOWNLOADING, GONE, find_recording
from app.submission.kinds import KINDS
from app.submission.native import submit

blueprint = AgainBlueprint("Again", __name__, description="New tasks with the recording of an earlier one.")

ERRORS = (400, 404, 409, 410, 415, 422, 429, 503)
LOCATION = {"Location": {"description": f"/task/{IDENTIFIER}", "schema": {"type": "string"}}}


@blueprint.route("/task/<identifier>/again", methods=["POST"])
@blueprint.arguments(AgainOptionsSchema, location="query")
@blueprint.arguments(TranscriptionParameters, location="query")
@blueprint.response(201, Submitted, example=SUBMITTED_EXAMPLE, headers=LOCATION)
@document_errors(blueprint, *ERRORS, say_409=DOWNLOADING, say_410=GONE)
def repeat_task(options: SubmissionOptions, again: Again, identifier: str) -> ResponseReturnValue:
    """Queue a task of the same kind with the same recording.

    Parameters that are not sent have the values of the earlier task.
    """
    row, kind = again.row, KINDS[again.row.task_type]
    recording = find_recording(row)
    submission = again.with_options(options)
    params, warnings = kind.prepare(submission.params)
    return submit(row.task_type, replace(submission, params=params), warnings, recording, lane=kind.lane)
