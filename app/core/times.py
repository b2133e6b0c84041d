"""Write moments as text."""

from __future__ import annotations

from datetime import datetime, timezone


def format_utc(seconds: float) -> str:
    """Format seconds since 1970 as ISO 8601, in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
