"""JSON: the result as the ledger holds it."""

from __future__ import annotations

from collections.abc import Iterator


def write(result: str) -> Iterator[str]:
    yield result
    yield "\n"
