"""Read the query of a request; unknown names are ignored, as AssemblyAI does."""

from __future__ import annotations

from flask import Request
from werkzeug.exceptions import BadRequest

from app.api.query import parse_query
from app.schemas.fields import BROKEN


def read_query(request: Request) -> dict[str, str]:
    """Return the parameters that have a value. Answers 400 for one that is not valid text."""
    query = {name: value.strip() for name, value in parse_query(request).items() if value.strip()}
    broken = next((name for name, value in query.items() if BROKEN.search(name + value)), None)
    if broken is not None:
        raise BadRequest(f"{broken!r:.60}: Must not contain NUL or broken characters.")
    return query
