"""Responses about one task, with examples.

These are the answers of a submission, a cancellation and GET /task/<identifier>.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from app.core.db.states import MAX_ATTEMPTS, STAGES, STATUSES, TASK_TYPES
from app.core.db.webhooks import STATUSES as WEBHOOK_STATUSES

RESULT = (
    "null until COMPLETED. For /vad: speech segments with start and end only; for /bgm-separation: hashes and files; for "
    "/detect-language: the language and how sure the model is."
)
IDENTIFIER = "0b7c3d1e-6a52-4f0e-9d3c-2f6f0c6a4b11"

SUBMITTED_EXAMPLE = {
    "identifier": IDENTIFIER,
    "status": "QUEUED",
    "message": "Transcription task has queued",
}
TASK_EXAMPLE: dict[str, Any] = {
    "identifier": IDENTIFIER,
    "status": "COMPLETED",
    "task_type": "transcription",
    "file_name": "monday.mp3",
    "result_type": "json",
    "result": [
        {
            "id": 0,
            "start": 0.31,
            "end": 1.64,
            "text": "hello monday",
            "speaker": None,
            "words": [
                {"word": "hello", "start": 0.31, "end": 0.82, "probability": 0.97, "speaker": None},
                {"word": "monday", "start": 0.98, "end": 1.64, "probability": 0.95, "speaker": None},
            ],
            "seek": 0,
            "tokens": [301, 317],
            "temperature": 0.0,
            "avg_logprob": -0.08,
            "compression_ratio": 0.6,
            "no_speech_prob": 0.01,
        }
    ],
    "task_params": {"model_size": "large-v3", "lang": None, "beam_size": 5},
    "attempt": 1,
    "error": None,
    "error_code": None,
    "warnings": [],
    "stage": None,
    "progress": 1.0,
    "duration": 0.84,
    "audio_duration": 2.0,
    "language": "en",
    "speaker_embeddings": None,
    "revision": 0,
    "speaker_names": {},
    "speaker_turns": None,
    "queue_position": None,
    "eta_seconds": None,
    "webhook": None,
    "created_at": "2026-11-22T13:00:00.000Z",
    "started_at": "2026-11-22T13:00:00.041Z",
    "finished_at": "2026-11-22T13:00:00.893Z",
    "files_expire_at": "2026-11-22T13:10:00.893Z",
    "files_purged_at": None,
}

CANCELLED_EXAMPLE = {"identifier": IDENTIFIER, "status": "CANCELLED", "message": "The task is cancelled"}

ATTEMPT = "Number of runs so far, except those interrupted by a stop of the service."

ETA_SECONDS = (
    "Seconds until the task will probably end, estimated from earlier tasks; null if it has ended, or if no estimate is "
    "possible yet."
)


class Cancelled(Schema):
    identifier = fields.UUID()
    status = fields.String(metadata={"enum": ["CANCELLED"]})
    message = fields.String()


class Word(Schema):
    word = fields.String()
    start = fields.Float(metadata={"description": "Seconds."})
    end = fields.Float(metadata={"description": "Seconds."})
    probability = fields.Float(metadata={"minimum": 0, "maximum": 1})
    speaker = fields.String(allow_none=True)


class Segment(Schema):
    id = fields.Integer()
    start = fields.Float(metadata={"description": "Seconds from the start of the recording."})
    end = fields.Float(metadata={"description": "Seconds from the start of the recording."})
    text = fields.String()
    speaker = fields.String(allow_none=True)
    words = fields.List(fields.Nested(Word))
    seek = fields.Integer(metadata={"description": "Frame of 10 ms at which the decoded window began."})
    tokens = fields.List(fields.Integer())
    temperature = fields.Float()
    avg_logprob = fields.Float()
    compression_ratio = fields.Float()
    no_speech_prob = fields.Float()


class StemFile(Schema):
    name = fields.String()
    stem = fields.String()
    size = fields.Integer(metadata={"description": "Bytes."})
    sha256 = fields.String()


class Stems(Schema):
    """The result of a separation."""

    vocal_hash = fields.String(metadata={"description": "SHA-256."})
    instrumental_hash = fields.String(metadata={"description": "SHA-256."})
    files = fields.List(fields.Nested(StemFile))


class WebhookState(Schema):
    """The message about the end of the task."""

    status = fields.String(metadata={"enum": list(WEBHOOK_STATUSES)})
    attempts = fields.Integer(metadata={"description": "How often the message was sent.", "minimum": 0})
    last_error = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed."})


class TaskAnswer(Schema):
    """The body of GET /task/<identifier>.

    Only for documentation: the view writes the stored JSON without this schema.
    """

    identifier = fields.UUID()
    status = fields.String(metadata={"enum": list(STATUSES)})
    task_type = fields.String(metadata={"enum": list(TASK_TYPES)})
    file_name = fields.String(metadata={"description": "Name of the upload, or last part of the URL."})
    result_type = fields.String(allow_none=True)
    result = fields.Raw(
        allow_none=True,
        metadata={
            "description": RESULT,
            "anyOf": [
                {"type": "array", "items": {"$ref": "#/components/schemas/Segment"}},
                {"$ref": "#/components/schemas/Stems"},
                {"$ref": "#/components/schemas/DetectedLanguage"},
            ],
        },
    )
    task_params = fields.Dict(metadata={"description": "All parameters of the task, with defaults."})
    attempt = fields.Integer(metadata={"description": ATTEMPT, "minimum": 0, "maximum": MAX_ATTEMPTS})
    error = fields.String(allow_none=True, metadata={"description": "The error message, for people."})
    error_code = fields.String(allow_none=True, metadata={"description": "The error code, for programs."})
    warnings = fields.List(fields.String(), metadata={"description": "What the task did not do as requested, and why."})
    stage = fields.String(allow_none=True, metadata={"description": f"The current stage: {', '.join(STAGES)}."})
    progress = fields.Float(metadata={"minimum": 0, "maximum": 1})
    duration = fields.Float(
        allow_none=True, metadata={"description": "Run time in seconds, without the time in the queue."}
    )
    audio_duration = fields.Float(
        allow_none=True,
        metadata={"description": "Length of the recording in seconds; null if only its beginning is decoded."},
    )
    language = fields.String(allow_none=True)
    speaker_embeddings = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Float()),
        allow_none=True,
        metadata={
            "description": "One vector per speaker, on request. The same voice has similar vectors in other recordings."
        },
    )
    revision = fields.Integer(
        allow_none=True,
        metadata={
            "description": "Which text `result` holds: 0 is the machine's, others were edited; null without a result."
        },
    )
    speaker_names = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The names that clients gave to the speakers, by label. The result keeps the labels."},
    )
    speaker_turns = fields.List(
        fields.List(fields.Raw(metadata={"anyOf": [{"type": "number"}, {"type": "string"}]})),
        allow_none=True,
        metadata={
            "description": "The diarizer's own turns, which may overlap: start and end in seconds, and the label. null without "
            "`is_diarize`."
        },
    )
    queue_position = fields.Integer(allow_none=True, metadata={"description": "1 runs next; null when not waiting."})
    eta_seconds = fields.Float(allow_none=True, metadata={"minimum": 0, "description": ETA_SECONDS})
    webhook = fields.Nested(
        WebhookState, allow_none=True, metadata={"description": "The message to `webhook_url`; null without one."}
    )
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    files_expire_at = fields.DateTime(
        allow_none=True,
        metadata={"description": "Until when the recording and the files of an ended task are kept at least."},
    )
    files_purged_at = fields.DateTime(allow_none=True, metadata={"description": "When they were removed."})


class Submitted(TaskAnswer):
    """The answer to a submission; one that waited has the fields of the task, too."""

    message = fields.String()
