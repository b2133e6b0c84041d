"""API keys: who may use the service, and how much.

The database has only the digest of a key. The key itself is random and long, so that SHA-256 needs neither salt nor
iterations. Rows are never deleted: as soon as one key was created, requests need one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from peewee import (
    AutoField,
    BooleanField,
    Case,
    CharField,
    DoubleField,
    IntegerField,
    IntegrityError,
    Model,
)

from app.core.db.connection import begin_write, database, now, read_clock, skip_sync

PREFIX = "speech_"  # lets secret scanners recognize a key
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")  # names appear in the log
WINDOW_SECONDS = 60.0
ROUNDING_SECONDS = 0.001


class ApiKey(Model):
    """One key.

    ``next_request_at``: when the key's next request would be due if its requests came evenly (``take_request``).
    """

    id = AutoField()
    name = CharField(max_length=64, unique=True)
    digest = CharField(max_length=64, unique=True)
    is_admin = BooleanField(default=False)
    max_queued = IntegerField(null=True)
    max_audio_hours_per_day = DoubleField(null=True)
    requests_per_minute = IntegerField(null=True)
    created_at = DoubleField()
    revoked_at = DoubleField(null=True)
    next_request_at = DoubleField(null=True)

    class Meta:
        database = database
        table_name = "api_key"


@dataclass(frozen=True)
class Rights:
    """What a key may do; None means no limit."""

    is_admin: bool = False
    max_queued: int | None = None
    max_audio_hours_per_day: float | None = None
    requests_per_minute: int | None = None


def create(name: str, rights: Rights) -> str:
    """Create a key and return it; it cannot be read again.

    The name of a revoked key gets a new key and keeps its tasks. Raises ValueError for a name that is in use or has other
    characters than letters, digits and ``._@-``.
    """
    if not NAME.fullmatch(name):
        raise ValueError("A name has 1 to 64 letters, digits and ._@- and begins with a letter or a digit.")
    key = PREFIX + secrets.token_urlsafe(32)
    values = {"digest": make_digest(key), "created_at": now(), "next_request_at": None, **asdict(rights)}
    with begin_write():
        again = ApiKey.update(revoked_at=None, **values)
        if again.where((ApiKey.name == name) & ApiKey.revoked_at.is_null(False)).execute():
            return key
        try:
            ApiKey.insert(name=name, **values).execute()
        except IntegrityError as error:
            raise ValueError(f"There is a key named {name}; revoke it first, or choose another name.") from error
    return key


def revoke(name: str) -> bool:
    """Revoke a key.

    Returns False when there is no such key, or it was revoked before.
    """
    valid = (ApiKey.name == name) & ApiKey.revoked_at.is_null()
    return "\0" not in name and bool(ApiKey.update(revoked_at=now()).where(valid).execute())


def list_all() -> list[ApiKey]:
    """List all keys by name, revoked ones as well."""
    return list(ApiKey.select().order_by(ApiKey.name))


def are_needed() -> bool:
    """Whether requests need a key, because one was created at some time."""
    return ApiKey.select(ApiKey.id).limit(1).scalar() is not None


def find(sent: Iterable[str]) -> ApiKey | None:
    """Return the first of the ``sent`` keys that is valid."""
    digests = [make_digest(key) for key in sent]
    rows = list(ApiKey.select().where(ApiKey.digest.in_(digests) & ApiKey.revoked_at.is_null()))
    matches = (row for digest in digests for row in rows if hmac.compare_digest(row.digest, digest))
    return next(matches, None)


def is_valid(key: ApiKey) -> bool:
    """Whether a key that was found before has not been revoked or replaced since."""
    same = (ApiKey.id == key.id) & (ApiKey.digest == key.digest) & ApiKey.revoked_at.is_null()
    return ApiKey.select(ApiKey.id).where(same).scalar() is not None


def make_digest(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def take_request(key: ApiKey) -> float:
    """Count a request against ``requests_per_minute``.

    Returns 0 if the request may go on, else the seconds after which the next one may. A key may send a minute's requests
    at once, and then one each time a minute's share is over (the generic cell rate algorithm). One conditional UPDATE
    decides, so it holds for any number of web processes.
    """
    if key.requests_per_minute is None:
        return 0.0
    interval = WINDOW_SECONDS / key.requests_per_minute
    ahead = WINDOW_SECONDS - interval + ROUNDING_SECONDS
    due = ApiKey.next_request_at
    # Later than any request can be due: written before the database's clock was set back.
    is_over = due.is_null() | (due < now()) | (due > now() + WINDOW_SECONDS + 1)
    taken = ApiKey.update(next_request_at=Case(None, [(is_over, now())], due) + interval)
    with skip_sync():  # a count that is lost in a power cut does no harm
        if taken.where((ApiKey.id == key.id) & (is_over | (due <= now() + ahead))).execute():
            return 0.0
    read = ApiKey.select(due).where(ApiKey.id == key.id).scalar()
    return max(ROUNDING_SECONDS, (read or 0.0) - read_clock() - ahead)
