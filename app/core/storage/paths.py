"""Paths below cache/, built from identifiers only.

Client input never becomes part of a path.
"""

from __future__ import annotations

from pathlib import Path

INCOMING = "incoming"
UPLOADS = "uploads"
SOURCE = "source"
STEMS = "stems"
LISTENING = "listening"
COPY = "copy.mp3"
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


def listening_folder(cache: Path, identifier: str) -> Path:
    """The folder of what players need of a task: waveforms, and the recording in a format that browsers play."""
    return task_folder(cache, identifier) / LISTENING


def waveform_path(cache: Path, identifier: str, sound: str = SOURCE) -> Path:
    """The waveform of the recording, or of one stem."""
    return listening_folder(cache, identifier) / f"{sound}.json"


def copy_path(cache: Path, identifier: str) -> Path:
    """The listening copy of the recording."""
    return listening_folder(cache, identifier) / COPY


def partial_file(path: Path, claim_no: int) -> Path:
    """A file of ``listening_folder`` until one claim has completed it."""
    return path.with_name(f"{path.name}-{claim_no}{PARTIAL}")
