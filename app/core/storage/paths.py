"""Paths below cache/, built from identifiers only, never from client input."""

from __future__ import annotations

from pathlib import Path

INCOMING = "incoming"
SOURCE = "source"
STEMS = "stems"
PARTIAL = ".partial"


def folder_of(cache: Path, identifier: str) -> Path:
    """The folder of a task."""
    return cache / identifier


def source_of(cache: Path, identifier: str) -> Path:
    """The recording of a task."""
    return folder_of(cache, identifier) / SOURCE


def stems_of(cache: Path, identifier: str, claim_no: int) -> Path:
    """The stems folder of one claim.

    A run of an earlier claim that is still writing uses another folder.
    """
    return folder_of(cache, identifier) / f"{STEMS}-{claim_no}"


def partial_of(stems: Path) -> Path:
    """The folder in which ``stems`` is written until it is complete."""
    return stems.with_name(stems.name + PARTIAL)
