"""Who sends a request: API keys, in each header that clients use for them.

The database is asked at every request, so a key is valid or revoked in all web processes at once.
"""

from __future__ import annotations

import logging
import math

from flask import Flask, g, request
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

from app.core.db import api_keys, sessions
from app.core.db.api_keys import ApiKey
from app.core.db.connection import database
from app.current import get_settings

SCHEMES = ("bearer", "token")  # of the header Authorization
PLAIN_HEADERS = ("X-API-Key", "api-key")
OPEN_BLUEPRINTS = ("Health", "docs", "api-docs", "console")
METRICS = "Metrics"
SESSION_COOKIE = "speech_session"  # of the console, in place of a key
LOGGED_NAME = "speech.key"  # in the WSGI environment, for the access log

log = logging.getLogger(__name__)


def require_keys(app: Flask) -> None:
    """Answer 401 to requests without a valid key, and 429 to a key that sends too many.

    Both before the body is read. Without any key in the database, the service is open.
    """

    @app.before_request
    def authenticate() -> None:
        if is_open(request.blueprint) or not api_keys.are_needed():
            return
        # An unknown key costs the same time as none.
        key = api_keys.find(read_keys(request.headers) or [""]) or sessions.find_key(
            request.cookies.get(SESSION_COOKIE, "")
        )
        if key is None:
            raise make_unauthorized()
        g.api_key, g.owner, g.is_admin = key, key.id, key.is_admin
        request.environ[LOGGED_NAME] = key.name
        wait = api_keys.take_request(key)
        if wait:
            raise TooManyRequests(
                f"This API key may send {key.requests_per_minute} requests per minute; try again later.",
                retry_after=math.ceil(wait),
            )


def is_open(blueprint: str | None) -> bool:
    """Whether requests to ``blueprint`` never need a key."""
    return blueprint in OPEN_BLUEPRINTS or (blueprint == METRICS and get_settings().metrics.open)


def read_keys(headers: Headers) -> list[str]:
    """List the keys that a request may have sent, in the order in which they are tried.

    ``Authorization`` may have a scheme or be the bare key. A proxy may use this header itself, so the others count, too.
    """
    authorization = headers.get("Authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    sent = [rest.strip() if scheme.lower() in SCHEMES else authorization]
    sent += [headers.get(name, "").strip() for name in PLAIN_HEADERS]
    return list(dict.fromkeys(key for key in sent if key))


def make_unauthorized() -> Unauthorized:
    """Make the 401 for a missing, unknown or revoked key, which are not distinguished."""
    return Unauthorized("A valid API key is needed.", www_authenticate=WWWAuthenticate("bearer"))


def require_admin() -> None:
    """Answer 403 unless the key is an admin key, or no key is needed."""
    if current_key() is not None and not g.is_admin:
        raise Forbidden("This needs an admin key.")


def confirm_key() -> None:
    """Answer 401 if the request's key was revoked since the request began."""
    if not has_valid_key():
        raise make_unauthorized()


def has_valid_key() -> bool:
    """Whether the request's key, if it needed one, is still valid."""
    key = current_key()
    return key is None or api_keys.is_valid(key)


def current_key() -> ApiKey | None:
    """Return the API key of this request; None if it needed none."""
    key: ApiKey | None = g.get("api_key")
    return key


def current_owner() -> int | None:
    """Return the number of this request's API key; None if the service has no keys."""
    owner: int | None = g.get("owner")
    return owner


def visible_owner() -> int | None:
    """Return whose tasks this request may see; None for all tasks."""
    return None if g.get("is_admin") else current_owner()


def may_see(owner: int | None) -> bool:
    """Whether this request may see a task of ``owner``."""
    return visible_owner() in (None, owner)


def warn_if_open() -> None:
    """Log a warning if the service needs no keys."""
    with database.connection_context():
        if not api_keys.are_needed():
            log.warning("no API keys: all who reach the service may use it; create one: python -m app.keys create NAME")
