"""Schemas of batches, with examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from app.core.db.states import BATCH_TYPES, STATUSES, TRANSCRIPTION
from app.schemas.follow import FollowParameters
from app.schemas.options import SubmissionOptions, SubmissionOptionsSchema
from app.schemas.result import ResultParameters
from app.schemas.task import ETA_SECONDS, IDENTIFIER

BATCH = "3f2a9c54-0d1b-4c7e-8a65-71b0c2d9e8f4"
STATUS = (
    "QUEUED until the first task begins, IN_PROGRESS until all have ended; then COMPLETED if at least one task was completed,"
    " else FAILED if one has failed, else CANCELLED."
)


@dataclass(frozen=True)
class BatchOptions(SubmissionOptions):
    """How a client wants a batch to be answered, and the kind of its tasks."""

    task_type: str = TRANSCRIPTION


class BatchOptionsSchema(SubmissionOptionsSchema):
    """The query or form fields of a batch that are not parameters of its tasks."""

    reuse = fields.Boolean(
        load_default=False,
        metadata={
            "description": "true: if there is a batch of the same recordings in the same order, with the same parameters, and"
            " each of its tasks waits, runs or has just been completed, it is returned instead of a new one."
        },
    )
    task_type = fields.String(
        load_default=TRANSCRIPTION,
        validate=validate.OneOf(BATCH_TYPES),
        metadata={"description": "The kind of all tasks. It decides which parameters there are."},
    )

    @post_load
    def make_options(self, data: dict[str, Any], **kwargs: Any) -> BatchOptions:
        return BatchOptions(**data)


class BatchFollowParameters(FollowParameters):
    """How a client follows a batch."""

    class Meta(FollowParameters.Meta):
        exclude = ("partial", "revision")


class BatchResultParameters(ResultParameters):
    """Which results a client downloads."""

    class Meta(ResultParameters.Meta):
        exclude = ("revision",)

    partial = fields.Boolean(  # type: ignore[assignment]  # fields are not attributes of the class
        load_default=False,
        metadata={"description": "true: download what is completed so far, while other tasks have not ended."},
    )


class BatchLine(Schema):
    identifier = fields.UUID(metadata={"description": "The task. Poll it at /task/{identifier}."})
    file_name = fields.String(metadata={"description": "Name of the upload, or last part of the URL."})
    status = fields.String(metadata={"enum": list(STATUSES)})
    stage = fields.String(allow_none=True)
    progress = fields.Float(metadata={"minimum": 0, "maximum": 1})
    queue_position = fields.Integer(allow_none=True)
    eta_seconds = fields.Float(allow_none=True, metadata={"minimum": 0, "description": ETA_SECONDS})
    error = fields.String(allow_none=True)
    error_code = fields.String(allow_none=True)
    warnings = fields.List(fields.String())
    duration = fields.Float(allow_none=True)
    audio_duration = fields.Float(allow_none=True)
    language = fields.String(allow_none=True)


class BatchAnswer(Schema):
    """The body of GET /batch/<identifier>."""

    identifier = fields.UUID()
    status = fields.String(metadata={"enum": list(STATUSES), "description": STATUS})
    task_type = fields.String(metadata={"enum": list(BATCH_TYPES)})
    total = fields.Integer(metadata={"description": "Number of tasks."})
    counts = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "Number of tasks in each status."}
    )
    progress = fields.Float(
        metadata={"minimum": 0, "maximum": 1, "description": "Mean of the tasks; a task that has ended counts as 1."}
    )
    created_at = fields.DateTime()
    finished_at = fields.DateTime(allow_none=True, metadata={"description": "When the last task ended."})
    tasks = fields.List(fields.Nested(BatchLine), metadata={"description": "In the order of the recordings."})


class SubmittedBatch(BatchAnswer):
    """The answer to a new batch.

    Without ``wait``: identifier, status, message, and of each task its identifier and file name.
    """

    message = fields.String()


class CancelledBatch(Schema):
    identifier = fields.UUID()
    cancelled = fields.Integer(metadata={"description": "Number of tasks that were cancelled now."})
    message = fields.String()


_SECOND = "9a4e1b7f-52c3-4d80-b6f1-0c8d7e35a2b9"
SUBMITTED_BATCH_EXAMPLE = {
    "identifier": BATCH,
    "status": "QUEUED",
    "message": "2 transcription tasks have queued",
    "tasks": [
        {"identifier": IDENTIFIER, "file_name": "monday.mp3"},
        {"identifier": _SECOND, "file_name": "tuesday.mp3"},
    ],
}
_LINE: dict[str, Any] = {
    "identifier": IDENTIFIER,
    "file_name": "monday.mp3",
    "status": "COMPLETED",
    "stage": None,
    "progress": 1.0,
    "queue_position": None,
    "eta_seconds": None,
    "error": None,
    "error_code": None,
    "warnings": [],
    "duration": 12.5,
    "audio_duration": 600.0,
    "language": "en",
}
_RUNNING = {"status": "IN_PROGRESS", "stage": "transcribe", "progress": 0.4, "eta_seconds": 31.5, "duration": None}
BATCH_EXAMPLE: dict[str, Any] = {
    "identifier": BATCH,
    "status": "IN_PROGRESS",
    "task_type": "transcription",
    "total": 2,
    "counts": {"QUEUED": 0, "IN_PROGRESS": 1, "COMPLETED": 1, "FAILED": 0, "CANCELLED": 0},
    "progress": 0.7,
    "created_at": "2026-11-22T13:00:00.000Z",
    "finished_at": None,
    "tasks": [_LINE, _LINE | {"identifier": _SECOND, "file_name": "tuesday.mp3"} | _RUNNING],
}
CANCELLED_BATCH_EXAMPLE = {"identifier": BATCH, "cancelled": 1, "message": "1 task is cancelled"}
