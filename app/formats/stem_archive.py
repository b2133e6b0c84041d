"""Find a task's stems and stream them as a ZIP.

A purge does not interrupt a download.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from zipstream import ZipStream

from app.core.db.states import BGM_SEPARATION, COMPLETED
from app.core.db.tasks import Task
from app.core.storage.paths import stems_folder

CHUNK = 256 * 1024


def has_stems(row: Task) -> bool:
    """Whether the task completed and was asked to keep stems."""
    params = json.loads(row.params)
    kept = row.task_type == BGM_SEPARATION or (params.get("is_separate_bgm") and params.get("save_file"))
    return bool(kept) and row.status == COMPLETED


def find_stems(cache: Path, row: Task) -> dict[str, Path]:
    """Map file names to paths for the claim that completed.

    The result is empty once they are purged.
    """
    folder = stems_folder(cache, row.uuid, row.claim_no)
    try:
        return {path.name: path for path in sorted(folder.iterdir())}
    except FileNotFoundError:
        return {}


class Archive:
    """A ZIP that is built while it is sent.

    Its length is known in advance, and its memory use is constant. Files are stored uncompressed, as audio hardly
    compresses. Raises FileNotFoundError when a file has just been purged.
    """

    def __init__(self, paths: dict[str, Path]) -> None:
        self._files = ExitStack()
        self._zip = ZipStream(sized=True)
        try:
            for name, path in paths.items():
                file = self._files.enter_context(
                    path.open("rb")
                )  # all open from the start: a purge cannot cut the ZIP off
                self._zip.add(_read_chunks(file), name, size=os.fstat(file.fileno()).st_size)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._zip)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._zip

    def close(self) -> None:
        self._files.close()


def _read_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
