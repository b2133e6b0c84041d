"""What clients see of a task."""

from __future__ import annotations

import json
from typing import Any

from app.api.lookup import format_time
from app.core.db import estimates, partial, queries, webhooks
from app.core.db.results import Result
from app.core.db.tasks import Task


def write_body(row: Task, result: Result | None, **more: Any) -> str:
    """Write the answer as JSON text.

    The result may be megabytes: it is inserted as stored, without parsing. ``more``: further fields.
    """
    known = json.dumps(more | describe_task(row), allow_nan=False)
    # ``known`` ends with "}": cut it off and append the large fields.
    embeddings, turns = (result.speaker_embeddings, result.speaker_turns) if result else (None, None)
    large = {"speaker_embeddings": embeddings, "speaker_turns": turns, "result": result.result if result else None}
    return known[:-1] + "".join(f', "{name}": {text or "null"}' for name, text in large.items()) + "}\n"


def describe_tasks(rows: list[Task]) -> list[dict[str, Any]]:
    """Collect the fields of several tasks for clients, with as many queries as for one."""
    places, ends, messages = queries.queue_positions(rows), estimates.estimate_seconds(rows), webhooks.describe(rows)
    return [_describe(row, places.get(row.id), ends.get(row.id), messages.get(row.uuid)) for row in rows]


def describe_task(row: Task) -> dict[str, Any]:
    """Collect a task's fields for clients, without its result, speaker embeddings and turns."""
    (described,) = describe_tasks([row])
    return described


def _describe(
    row: Task, queue_position: int | None, eta_seconds: float | None, webhook: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "identifier": row.uuid,
        "status": row.status,
        "task_type": row.task_type,
        "result_type": row.result_type,
        "task_params": json.loads(row.params),
        "attempt": row.attempts,
        "error": row.error,
        "error_code": row.error_code,
        "warnings": json.loads(row.warnings),
        "stage": row.stage,
        "progress": row.progress,
        "duration": row.duration,
        "audio_duration": row.audio_duration,
        "language": row.language,
        "speaker_names": json.loads(row.speaker_names),
        "queue_position": queue_position,
        "eta_seconds": eta_seconds,
        "webhook": webhook,
        "created_at": format_time(row.created_at),
        "started_at": format_time(row.started_at),
        "finished_at": format_time(row.finished_at),
    }


def write_partial_body(row: Task) -> str:
    """Write the answer with the segments that are known so far in place of the result."""
    segments = partial.read(row.uuid, row.claim_no)
    return write_body(row, Result(task=row.uuid, result=f"[{', '.join(segments)}]", speaker_embeddings=None))
