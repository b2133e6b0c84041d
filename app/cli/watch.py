"""Find new recordings in a folder, once they are complete."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Collection
from pathlib import Path

from .outputs import choose_extension

# Of browsers and download programs, until a file is complete.
INCOMPLETE = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")
# That this command or its users write beside recordings.
TEXTS = (".json", ".txt", ".srt", ".vtt", ".tsv", ".textgrid", ".eaf", ".rttm", ".ctm", ".md", ".pdf", ".docx")

Signature = tuple[int, int]


class Watch:
    """The files of a folder, and since when they have not changed."""

    def __init__(
        self,
        folder: Path,
        settle: float,
        formats: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._settle, self._clock = folder, settle, clock
        self._ignored = {*INCOMPLETE, *TEXTS, *(f".{choose_extension(name).lower()}" for name in formats)}
        self._seen: dict[Path, tuple[Signature, float]] = {}
        self._taken: dict[Path, Signature] = {}

    def list_recordings(self) -> list[Path]:
        """List the recordings in the folder, complete or not.

        Raises OSError if the folder cannot be read.
        """
        return sorted(path for path in self._folder.iterdir() if self._is_recording(path))

    def take_complete(self) -> list[Path]:
        """Return the files that have not changed for ``settle`` seconds, each once until it changes.

        Raises OSError if the folder cannot be read.
        """
        now, complete = self._clock(), []
        present = self.list_recordings()
        for path in present:
            signature = _read_signature(path)
            if signature is None or self._taken.get(path) == signature:
                continue
            known, since = self._seen.get(path, (None, now))
            if known != signature:
                self._seen[path] = (signature, now)
            elif now - since >= self._settle:
                self._taken[path] = signature
                complete.append(path)
        for known_paths in (self._seen, self._taken):
            for path in known_paths.keys() - set(present):
                del known_paths[path]  # type: ignore[attr-defined]
        return complete

    def _is_recording(self, path: Path) -> bool:
        return not path.name.startswith(".") and path.suffix.lower() not in self._ignored


def _read_signature(path: Path) -> Signature | None:
    """Return size and time of a file; None if it is empty, gone, or not a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) and found.st_size else None
