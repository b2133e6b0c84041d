"""Paths below cache/, built from identifiers only.

Client input never becomes part of a path.
"""

from __future__ import annotations

from pathlib import Path

INCOMING = "incoming"
UPLOADS = "uploads"
SOURCE = "source"
STEMS = "stems"
PARTIAL = ".partial"


def task_folder(cache: Path, identifier: str) -> Path:
    """The folder of a task."""
    return cache / identifier


def source_path(cache: Path, identifier: str) -> Path:
    """The recording of a task."""
    return task_folder(cache, identifier) / SOURCE


def upload_path(cache: Path, token: str) -> Path:
    """A recording that was uploaded before its task."""
    return cache / UPLOADS / token


def stems_folder(cache: Path, identifier: str, claim_no: int) -> Path:
    """The stems folder of one claim.

    A run of an earlier claim that is still writing uses another folder.
    """
    return task_folder(cache, identifier) / f"{STEMS}-{claim_no}"


def partial_folder(stems: Path) -> Path:
    """The folder of ``stems`` until it is complete."""
    return stems.with_name(stems.name + PARTIAL)
