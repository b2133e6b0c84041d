"""Tell the objects that the service makes from those of others: only the former may be removed.

They are named by identifiers (UUIDs), by the tokens of uploads, and by those of checks.
"""

from __future__ import annotations

import re

from app.core.storage.folder import is_identifier
from app.core.storage.paths import UPLOADS

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes, as the submission of uploads makes them
CHECK = re.compile(r"[0-9a-f]{32}")


def is_token(name: str) -> bool:
    """Whether ``name`` is written as the tokens of uploads are."""
    return TOKEN.fullmatch(name) is not None


def is_check(name: str) -> bool:
    """Whether ``name`` is written as those of the objects of a check are."""
    return CHECK.fullmatch(name) is not None


def is_stored(key: str) -> bool:
    """Whether ``key`` is that of a file of a task, or of an upload."""
    first, _, rest = key.partition("/")
    return is_identifier(first) or (first == UPLOADS and is_token(rest))
