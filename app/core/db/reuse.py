"""Find an earlier task with the same recording and parameters, and remember idempotency keys.

Idempotency keys follow draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, CharField, CompositeKey, DoubleField, IntegerField, Model

from app.core.db.connection import database, is_postgres, now
from app.core.db.states import COMPLETED, IN_PROGRESS, QUEUED
from app.core.db.tasks import Task

KEPT_SECONDS = 24 * 3600.0
NO_OWNER = 0  # part of a primary key, which cannot be null
MOST_BATCHES = 20  # that begin with the same recording


class IdempotencyKey(Model):
    """A key that a client sent with a submission, and the task that it made.

    ``task`` is the task's uuid; the database deletes the key together with its task.
    """

    owner = IntegerField()
    path = CharField(max_length=64)
    key = CharField(max_length=255)
    fingerprint = CharField(max_length=64)
    task = CharField(max_length=36)
    created_at = DoubleField()

    class Meta:
        database = database
        table_name = "idempotency_key"
        primary_key = CompositeKey("owner", "path", "key")


@dataclass(frozen=True)
class KeyScope:
    """An idempotency key holds for one client and one path."""

    owner: int | None
    path: str
    key: str


def lock(*names: str) -> None:
    """Make other transactions with one of ``names`` wait until this one ends.

    On SQLite, the transaction already excludes all others that write.
    """
    if is_postgres(database):
        for name in sorted(names):
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (number,))


def find_task(fingerprint: str, ttl: float) -> str | None:
    """Return the uuid of the newest task with ``fingerprint`` that a new client can share.

    It waits, runs, or was completed at most ``ttl`` seconds ago.
    """
    alike = (Task.fingerprint == fingerprint) & _is_shareable(ttl)
    found: str | None = Task.select(Task.uuid).where(alike).order_by(Task.id.desc()).limit(1).scalar()
    return found


def find_batch(fingerprints: Sequence[str], ttl: float) -> str | None:
    """Return the newest batch with tasks of these ``fingerprints``, in this order, that a new client can share."""
    first = (Task.fingerprint == fingerprints[0]) & Task.batch.is_null(False) & _is_shareable(ttl)
    for row in Task.select(Task.batch).where(first).order_by(Task.id.desc()).limit(MOST_BATCHES):
        members = Task.select(Task.fingerprint, _is_shareable(ttl)).where(Task.batch == row.batch).order_by(Task.id)
        tuples: Any = members.tuples()
        found = [(fingerprint, bool(shareable)) for fingerprint, shareable in tuples]
        if found == [(fingerprint, True) for fingerprint in fingerprints]:
            return str(row.batch)
    return None


def _is_shareable(ttl: float) -> Any:
    recent = (Task.status == COMPLETED) & Task.finished_at.between(now() - SQL(str(float(ttl))), now())
    return Task.status.in_([QUEUED, IN_PROGRESS]) | recent


def find_key(scope: KeyScope) -> IdempotencyKey | None:
    """Return what is known of a key; None for a new or expired one."""
    known = (IdempotencyKey.owner == (scope.owner or NO_OWNER)) & (IdempotencyKey.path == scope.path)
    fresh = IdempotencyKey.created_at > now() - SQL(str(KEPT_SECONDS))
    return IdempotencyKey.get_or_none(known & (IdempotencyKey.key == scope.key) & fresh)


def remember_key(scope: KeyScope, fingerprint: str, uuid: str) -> None:
    """Store a key beside the task that it made, and drop expired ones."""
    IdempotencyKey.delete().where(IdempotencyKey.created_at < now() - SQL(str(KEPT_SECONDS))).execute()
    IdempotencyKey.insert(
        owner=scope.owner or NO_OWNER,
        path=scope.path,
        key=scope.key,
        fingerprint=fingerprint,
        task=uuid,
        created_at=now(),
    ).execute()
