"""Remember submitted tasks, so that a command that is run again goes on with them.

One small file for each recording and set of parameters, in $XDG_STATE_HOME/speech. It is removed when the result is
written. Without it, the recording is sent again, and the Idempotency-Key still finds its task.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

KEPT_SECONDS = 30 * 24 * 3600.0
CHUNK = 1024 * 1024


class Journal:
    """The submitted tasks of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or find_folder()
        self._forget_old()

    def find(self, key: str) -> str | None:
        """Return the task that was submitted with ``key``."""
        task = self._read(key).get("task")
        return task if isinstance(task, str) else None

    def read_round(self, key: str) -> int:
        """Return how often the task of ``key`` has failed."""
        number = self._read(key).get("round", 0)
        return number if isinstance(number, int) else 0

    def remember(self, key: str, task: str) -> None:
        self._write(key, {"task": task, "round": self.read_round(key)})

    def note_failure(self, key: str) -> None:
        """Make the next run of the command submit a new task."""
        self._write(key, {"round": self.read_round(key) + 1})

    def remove(self, key: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / key).unlink(missing_ok=True)

    def _read(self, key: str) -> dict[str, object]:
        try:
            entry = json.loads((self._folder / key).read_text())
        except (OSError, ValueError):
            return {}
        return entry if isinstance(entry, dict) else {}

    def _write(self, key: str, entry: dict[str, object]) -> None:
        # Without a journal, everything works; only uploads are repeated.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            new = self._folder / f"{key}.{os.getpid()}.new"
            new.write_text(json.dumps(entry))
            new.replace(self._folder / key)

    def _forget_old(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                    path.unlink(missing_ok=True)


def find_folder() -> Path:
    """Return the folder for state of programs (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state") / "speech"


def make_key(url: str, path: Path, fields: Mapping[str, str]) -> str:
    """Return the SHA-256 of service, content and parameters: the same for every run of a command."""
    content = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            content.update(chunk)
    whole = json.dumps([url, content.hexdigest(), sorted(fields.items())])
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()
