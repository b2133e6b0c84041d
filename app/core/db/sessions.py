"""Sessions of the console: a cookie in place of an API key.

A browser cannot send headers with <audio> and downloads. The database has only the digest of a cookie. A session belongs
to the digest of its key, so it ends when the key is revoked or replaced.
"""

from __future__ import annotations

import secrets

from peewee import CharField, DoubleField, Model

from app.core.db.api_keys import ApiKey, make_digest
from app.core.db.connection import begin_write, database, now


class Session(Model):
    """One browser that is signed in."""

    digest = CharField(max_length=64, primary_key=True)
    key_digest = CharField(max_length=64)
    expires_at = DoubleField(index=True)

    class Meta:
        database = database
        table_name = "session"


def create(key: ApiKey, seconds: float) -> str:
    """Create a session for ``key`` and return its cookie; remove those that have expired."""
    cookie = secrets.token_urlsafe(32)
    with begin_write():
        Session.delete().where(Session.expires_at < now()).execute()
        Session.insert(digest=make_digest(cookie), key_digest=key.digest, expires_at=now() + seconds).execute()
    return cookie


def find_key(cookie: str) -> ApiKey | None:
    """Return the key of a session; None if the session has ended, or its key was revoked."""
    match = (ApiKey.digest == Session.key_digest) & ApiKey.revoked_at.is_null()
    is_current = (Session.digest == make_digest(cookie)) & (Session.expires_at > now())
    key: ApiKey | None = ApiKey.select().join(Session, on=match).where(is_current).first()
    return key


def remove(cookie: str) -> None:
    """End a session."""
    Session.delete().where(Session.digest == make_digest(cookie)).execute()
