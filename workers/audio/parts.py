"""One of several files that were glued together, as a file of its own."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One file within the file: its bytes from ``start`` to ``end``.

    ``unmeasured``: its header states less sound than there is.
    """

    start: int
    end: int
    unmeasured: bool = False


class PartFile(io.RawIOBase):
    """The bytes of one part, as a file for PyAV."""

    def __init__(self, path: str, part: Part) -> None:
        self._file = open(path, "rb", buffering=0)
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._part.end - self._part.start}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._part.end - self._part.start - self._at)
        self._file.seek(self._part.start + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()
