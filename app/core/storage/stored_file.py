"""A file of a task as the web side sends it. It was there a moment ago: methods may raise FileNotFoundError."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import BinaryIO


class LocalFile:
    """A file in cache/."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = path

    def read_size(self) -> int:
        """Return its size in bytes."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open it for reading, at any position."""
        return self.path.open("rb")


class RemoteFile(ABC):
    """A file in an object store. ``tag`` changes with its content."""

    def __init__(self, name: str, size: int, modified: datetime, tag: str) -> None:
        self.name = name
        self.size = size
        self.modified = modified
        self.tag = tag

    def read_size(self) -> int:
        """Return its size in bytes."""
        return self.size

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open it for reading, at any position. What is read may raise StorageUnavailableError."""

    @abstractmethod
    def sign_url(self, media_type: str, disposition: str) -> str | None:
        """Return a URL with which a client can read it directly, if the settings allow that."""


StoredFile = LocalFile | RemoteFile
