"""The segments of running tasks, before the result.

They are of one claim: a second attempt starts over. The database deletes them together with the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import CharField, CompositeKey, IntegerField, Model, TextField

from app.core.db.connection import database


class PartialSegment(Model):
    """One segment as JSON text; ``number`` counts from 0."""

    task = CharField(max_length=36)
    claim_no = IntegerField()
    number = IntegerField()
    segment = TextField()

    class Meta:
        database = database
        table_name = "partial_segment"
        primary_key = CompositeKey("task", "claim_no", "number")


def store(uuid: str, claim_no: int, first: int, segments: Sequence[str]) -> None:
    """Insert segments, the first of which has the number ``first``.

    With number 0 the task starts over: the segments of earlier claims, and of an earlier try of this one, are removed.
    Segments that are there are left as they are: the database may have lost only its answer to an insert.
    """
    if first == 0:
        PartialSegment.delete().where((PartialSegment.task == uuid) & (PartialSegment.claim_no <= claim_no)).execute()
    columns: list[dict[str, Any]] = [
        {"task": uuid, "claim_no": claim_no, "number": first + place, "segment": segment}
        for place, segment in enumerate(segments)
    ]
    PartialSegment.insert_many(columns).on_conflict_ignore().execute()


def read(uuid: str, claim_no: int, first: int = 0) -> list[str]:
    """Read the segments of a claim in order, from number ``first`` on."""
    rows = PartialSegment.select(PartialSegment.segment).where(
        (PartialSegment.task == uuid) & (PartialSegment.claim_no == claim_no) & (PartialSegment.number >= first)
    )
    return [row.segment for row in rows.order_by(PartialSegment.number)]


def remove(uuid: str) -> None:
    """Remove all segments of a task."""
    PartialSegment.delete().where(PartialSegment.task == uuid).execute()
