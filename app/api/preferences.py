"""The header Prefer (RFC 7240)."""

from __future__ import annotations

import re

from flask import Request

from app.schemas.options import LONGEST_WAIT

WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;|$)", re.IGNORECASE)


def choose_wait(request: Request, asked: int | None) -> int | None:
    """Return the seconds that a client wants to wait; None if it does not.

    ``asked`` is the parameter, which goes before the header. A header that cannot be read is ignored, as the RFC says.
    """
    found = (WAIT.match(part) for header in request.headers.getlist("Prefer") for part in header.split(","))
    preferred = next((int(match[1]) for match in found if match), None)
    wait = preferred if asked is None else asked
    return None if wait is None else min(wait, LONGEST_WAIT)
