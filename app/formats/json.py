"""JSON: the result as stored in the database."""

from __future__ import annotations

from collections.abc import Iterator


def write(result: str) -> Iterator[str]:
    yield result
    yield "\n"
