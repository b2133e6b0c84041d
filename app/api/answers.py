"""What clients see of a task."""

from __future__ import annotations

import json
from typing import Any

from app.api.lookup import format_time
from app.core.db import estimates, partial, queries, webhooks
from app.core.db.results import Result
from app.core.db.states import COMPLETED, TERMINAL
from app.core.db.tasks import Task
from app.current import get_settings


def write_body(row: Task, result: Result | None, **more: Any) -> str:
    """Write the answer as JSON text.

    The result may be megabytes: it is inserted as stored, without parsing. ``more``: further fields.
    """
    known = json.dumps(more | describe_task(row, get_settings().cache.ttl), allow_nan=False)
    # ``known`` ends with "}": cut it off and append the large fields.
    embeddings, turns = (result.speaker_embeddings, result.speaker_turns) if result else (None, None)
    large = {
        "speaker_embeddings": embeddings,
        "speaker_turns": turns,
        "revision": str(result.revision) if result and row.status == COMPLETED else None,
        "result": result.result if result else None,
    }
    return known[:-1] + "".join(f', "{name}": {text or "null"}' for name, text in large.items()) + "}\n"


def describe_tasks(rows: list[Task], files_ttl: int) -> list[dict[str, Any]]:
    """Collect the fields of several tasks for clients, with as many queries as for one.

    ``files_ttl``: seconds that the files of an ended task are kept.
    """
    places, ends, messages = queries.queue_positions(rows), estimates.estimate_seconds(rows), webhooks.describe(rows)
    described = [_describe(row, places.get(row.id), ends.get(row.id), messages.get(row.uuid)) for row in rows]
    return [each | _describe_files(row, files_ttl) for each, row in zip(described, rows, strict=True)]


def describe_task(row: Task, files_ttl: int) -> dict[str, Any]:
    """Collect a task's fields for clients, without its result, speaker embeddings and turns."""
    (described,) = describe_tasks([row], files_ttl)
    return described


def _describe(
    row: Task, queue_position: int | None, eta_seconds: float | None, webhook: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "identifier": row.uuid,
        "status": row.status,
        "task_type": row.task_type,
        "file_name": row.file_name,
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


def _describe_files(row: Task, ttl: int) -> dict[str, Any]:
    """Say until when the files are there at least; the purge removes them at its next round."""
    has_files = row.status in TERMINAL and row.files_purged_at is None
    ended = row.finished_at if has_files else None
    return {
        "files_expire_at": None if ended is None else format_time(ended + ttl),
        "files_purged_at": format_time(row.files_purged_at),
    }


def write_partial_body(row: Task) -> str:
    """Write the answer with the segments that are known so far in place of the result."""
    segments = partial.read(row.uuid, row.claim_no)
    return write_body(row, Result(task=row.uuid, result=f"[{', '.join(segments)}]", speaker_embeddings=None))
