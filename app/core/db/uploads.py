"""Recordings that were uploaded before their task.

The file is in cache/uploads/ under its token, which is unguessable. It is kept for ``cache.upload_ttl`` seconds, for any
number of tasks of the API key that uploaded it.
"""

from __future__ import annotations

from peewee import CharField, DoubleField, IntegerField, Model

from app.core.db.connection import database, now


class Upload(Model):
    """One upload; ``digest`` is the SHA-256 of its content in hexadecimal."""

    token = CharField(max_length=64, primary_key=True)
    owner = IntegerField(null=True)
    digest = CharField(max_length=64)
    created_at = DoubleField()

    class Meta:
        database = database
        table_name = "upload"


def add(token: str, owner: int | None, digest: str) -> None:
    """Insert an upload whose file is on disk."""
    Upload.insert(token=token, owner=owner, digest=digest, created_at=now()).execute()


def get(token: str) -> Upload | None:
    """Read an upload; None if there is none, or no more."""
    return Upload.get_or_none(Upload.token == token)


def list_expired(ttl: float, most: int, at: float) -> list[str]:
    """List up to ``most`` uploads that were made over ``ttl`` seconds before ``at``, oldest first."""
    old = Upload.select(Upload.token).where(Upload.created_at < at - ttl)
    return [row.token for row in old.order_by(Upload.created_at).limit(most)]


def remove(token: str) -> bool:
    """Delete an upload's row; its file is removed next. Returns False when there is none."""
    return bool(Upload.delete().where(Upload.token == token).execute())
