"""The progress of many running tasks, written in one statement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from app.core.db import partial, tasks
from app.core.db.connection import begin_write, database, is_postgres, skip_sync
from app.core.db.states import IN_PROGRESS
from app.core.db.tasks import Claim

MOST_ROWS = 500  # of one statement; SQLite limits the number of its parameters
# The columns that a run may find, with types that both databases know.
FACTS = {
    "language": "text",
    "audio_duration": "double precision",
    "media_type": "text",
    "segments_changed": "boolean",
}
TYPES = {
    "uuid": "text",
    "claim_no": "integer",
    "holder": "text",
    "stage": "text",
    "progress": "double precision",
    **FACTS,
}
# Row locks are taken in the order of ids, as everywhere: two transactions with several tasks never wait for each other.
STATEMENT = """
WITH told ({columns}) AS (VALUES {rows}),
held AS (
    SELECT task.id AS held_id, told.* FROM told JOIN task
        ON task.uuid = told.uuid AND task.claim_no = told.claim_no AND task.holder = told.holder
    WHERE task.status = '{status}' ORDER BY task.id {lock}
)
UPDATE task SET
    stage = held.stage,
    progress = CASE WHEN held.progress > task.progress THEN held.progress ELSE task.progress END,
    changes = task.changes + 1,
    {facts}
FROM held WHERE task.id = held.held_id
"""


@dataclass(frozen=True)
class Report:
    """What a running task has reported since the last time; the parameters of ``tasks.report``.

    ``facts`` have keys of ``FACTS``.
    """

    claim: Claim
    stage: str
    progress: float
    first: int = 0
    segments: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(reports: Sequence[Report], skip_disk: bool = False) -> None:
    """Write the reports of those claims that still hold their tasks; at most one of each.

    ``skip_disk``: do not wait for the disk, so the reports may be lost in a power cut. Raises KeyError for an unknown fact.
    """
    for start in range(0, len(reports), MOST_ROWS):
        part = reports[start : start + MOST_ROWS]
        with skip_sync() if skip_disk else contextlib.nullcontext(), begin_write():
            _update_rows(part)
            _store_segments([report for report in part if report.segments])


def _update_rows(reports: Sequence[Report]) -> None:
    mark = database.param
    row = "(" + ", ".join(f"CAST({mark} AS {kind})" for kind in TYPES.values()) + ")"
    statement = STATEMENT.format(
        columns=", ".join(TYPES),
        rows=", ".join([row] * len(reports)),
        status=IN_PROGRESS,
        lock="FOR NO KEY UPDATE OF task" if is_postgres(database) else "",
        facts=", ".join(f"{name} = COALESCE(held.{name}, task.{name})" for name in FACTS),
    )
    database.execute_sql(statement, list(chain.from_iterable(map(_list_values, reports))))


def _list_values(report: Report) -> Iterator[Any]:
    """List the values in the order of ``TYPES``."""
    if unknown := report.facts.keys() - FACTS.keys():
        raise KeyError(f"not among the facts of a running task: {', '.join(sorted(unknown))}")
    claim = report.claim
    yield from (claim.uuid, claim.claim_no, claim.holder, report.stage, report.progress)
    yield from (report.facts.get(name) for name in FACTS)


def _store_segments(reports: Sequence[Report]) -> None:
    """Store new segments of tasks that are still held: their rows are locked since the update."""
    holders = {report.claim.holder for report in reports}
    held = {Claim(*key, holder) for holder in holders for key in tasks.list_held(holder)}
    for report in reports:
        if report.claim in held:
            partial.store(report.claim.uuid, report.claim.claim_no, report.first, report.segments)
