"""Where recordings lie below cache/; both sides ask here, and nothing a client sends takes part."""

from __future__ import annotations

from pathlib import Path

INCOMING = "incoming"
SOURCE = "source"


def folder_of(cache: Path, identifier: str) -> Path:
    return cache / identifier


def source_of(cache: Path, identifier: str) -> Path:
    return folder_of(cache, identifier) / SOURCE
