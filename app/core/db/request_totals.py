"""Running totals of answered requests, which each web process adds to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from peewee import EXCLUDED, CharField, CompositeKey, DoubleField, IntegerField, Model

from app.core.db.connection import begin_write, database, skip_sync


class RequestTotal(Model):
    """The requests with equal labels and times up to ``le`` seconds, but above the bound before."""

    facade = CharField(max_length=16)
    method = CharField(max_length=8)
    status = IntegerField()
    le = DoubleField()
    requests = IntegerField()
    seconds = DoubleField()

    class Meta:
        database = database
        table_name = "request_total"
        primary_key = CompositeKey("facade", "method", "status", "le")


class Kind(NamedTuple):
    """What distinguishes the totals."""

    facade: str
    method: str
    status: int
    le: float


def add(counts: Mapping[Kind, tuple[int, float]]) -> None:
    """Add (requests, seconds) to the totals.

    In one order, so that processes on PostgreSQL cannot block each other.
    """
    same = (RequestTotal.facade, RequestTotal.method, RequestTotal.status, RequestTotal.le)
    with skip_sync(), begin_write():  # counts that are lost in a power cut do no harm
        for kind, (requests, seconds) in sorted(counts.items()):
            added = RequestTotal.insert(**kind._asdict(), requests=requests, seconds=seconds)
            added.on_conflict(
                conflict_target=same,
                update={
                    RequestTotal.requests: RequestTotal.requests + EXCLUDED.requests,
                    RequestTotal.seconds: RequestTotal.seconds + EXCLUDED.seconds,
                },
            ).execute()


def read() -> list[RequestTotal]:
    """Read all totals."""
    return list(RequestTotal.select())
