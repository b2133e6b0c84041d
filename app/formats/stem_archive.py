"""Find a task's stems and stream them as a ZIP.

A purge does not interrupt a download.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

from zipstream import ZipStream

from app.core.db.states import BGM_SEPARATION, COMPLETED
from app.core.db.tasks import Task
from app.core.storage.storage import Storage
from app.core.storage.stored_file import StoredFile

CHUNK = 256 * 1024


def has_stems(row: Task) -> bool:
    """Whether the task completed and was asked to keep stems."""
    params = json.loads(row.params)
    kept = row.task_type == BGM_SEPARATION or (params.get("is_separate_bgm") and params.get("save_file"))
    return bool(kept) and row.status == COMPLETED


def find_stems(storage: Storage, row: Task) -> dict[str, StoredFile]:
    """Map names to the files of the claim that completed.

    The result is empty once they are purged.
    """
    return storage.list_stems(row.uuid, row.claim_no)


class Archive:
    """A ZIP that is built while it is sent.

    Its length is known in advance, and its memory use is constant. Files are stored uncompressed, as audio hardly
    compresses. Raises FileNotFoundError when a file has just been purged.
    """

    def __init__(self, stems: dict[str, StoredFile]) -> None:
        self._files = ExitStack()
        self._zip = ZipStream(sized=True)
        try:
            for name, stem in stems.items():
                # all open from the start: a purge of local files cannot cut the ZIP off
                file = self._files.enter_context(stem.open())
                self._zip.add(_read_chunks(file), name, size=stem.read_size())
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
