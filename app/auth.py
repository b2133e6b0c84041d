"""Who sends a request."""

from __future__ import annotations

from flask import g


def current_owner() -> int | None:
    """Return the API key of this request; None if the service has no keys."""
    owner: int | None = g.get("owner")
    return owner


def may_see(owner: int | None) -> bool:
    """Whether this request may see a task of ``owner``."""
    return current_owner() is None or current_owner() == owner or bool(g.get("is_admin"))
