"""Read an object as a file."""

from __future__ import annotations

import io
import logging
from typing import Any

from app.core.storage.object_store import Entry, ObjectStore
from app.core.storage.store_errors import explain_error

log = logging.getLogger(__name__)

PIECE_BYTES = 8 * 1024 * 1024
ATTEMPTS = 3  # to read from the store; boto3's own cover only the beginning of an answer


class ObjectReader(io.RawIOBase):
    """An object as a file. It is read piece by piece, so that a broken connection or a slow reader does no harm."""

    def __init__(self, store: ObjectStore, entry: Entry) -> None:
        super().__init__()
        self._store = store
        self._entry = entry
        self._at = 0
        self._body: Any = None
        self._piece_end = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        if base + offset != self._at:
            self._drop()
            self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        import botocore.exceptions
        import urllib3.exceptions

        if self._at >= self._entry.size:
            return 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                data = self._read(len(buffer))
                break
            except FileNotFoundError:
                raise
            except (botocore.exceptions.BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
                self._drop()
                if attempt == ATTEMPTS:
                    problem = explain_error(error, self._store.location)
                    log.warning("storage: %s", problem.reason)
                    raise problem from error
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, most: int) -> bytes:
        if self._body is None:
            self._piece_end = min(self._entry.size, self._at + PIECE_BYTES)
            self._body = self._store.open(self._entry, self._at, self._piece_end)
        data: bytes = self._body.read(min(most, self._piece_end - self._at))
        if not data:
            raise ConnectionError("the store has sent less than it announced")
        if self._at + len(data) == self._piece_end:
            self._body.read()  # its end, so that the connection can be used again
            self._drop()
        return data

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
