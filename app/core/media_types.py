"""The types that a recording may be sent with.

An upload is never sent with another type: a browser must not run it as a page.
"""

from __future__ import annotations

UNKNOWN = "application/octet-stream"
MEDIA_TYPES = frozenset(
    (
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "audio/x-matroska",
        "video/mp4",
        "video/ogg",
        "video/quicktime",
        "video/webm",
        "video/x-matroska",
    )
)


def choose_media_type(found: str | None) -> str:
    """Return the type that decoding has found, if it is one of these."""
    return found if found in MEDIA_TYPES else UNKNOWN
