"""Where recordings lie below cache/; both sides ask here, and nothing a client sends takes part."""

from __future__ import annotations

from pathlib import Path

INCOMING = "incoming"
SOURCE = "source"
STEMS = "stems"
PARTIAL = ".partial"


def folder_of(cache: Path, identifier: str) -> Path:
    return cache / identifier


def source_of(cache: Path, identifier: str) -> Path:
    return folder_of(cache, identifier) / SOURCE


def stems_of(cache: Path, identifier: str, claim_no: int) -> Path:
    """The folder of the stems written under claim ``claim_no``; an earlier, late run writes to its own."""
    return folder_of(cache, identifier) / f"{STEMS}-{claim_no}"


def partial_of(stems: Path) -> Path:
    """The folder in which ``stems`` is written until it is complete."""
    return stems.with_name(stems.name + PARTIAL)
