"""A multipart form with one file, read from disk while it is sent.

requests itself would read the whole file into memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from urllib3.fields import RequestField

from .server import ServerError

CHUNK = 256 * 1024


class UploadForm:
    """The body of one request: ``fields``, then the file.

    ``on_progress`` is called with the fraction that has been sent; an exception that it raises ends the upload.
    """

    def __init__(self, path: Path, fields: Mapping[str, str], on_progress: Callable[[float], None]) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._file: BinaryIO = path.open("rb")
        self._size = self._file.seek(0, 2)
        self._file.seek(0)
        parts = [_make_part(name, value=value) for name, value in fields.items()]
        parts.append(_make_part("file", file_name=path.name))
        start = f"--{boundary}\r\n"
        # A name on disk may hold bytes that are not UTF-8.
        head = (start + f"\r\n{start}".join(parts)).encode("utf-8", "replace")
        self._pieces = [head, f"\r\n--{boundary}--\r\n".encode()]
        self._length = len(head) + self._size + len(self._pieces[1])
        self._sent = 0
        self._on_progress = on_progress

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = CHUNK) -> bytes:
        """Return the next piece of the body; it may be shorter than ``size``."""
        self._on_progress(self._sent / self._length)
        piece = self._read_piece(max(1, size if size > 0 else CHUNK))
        self._sent += len(piece)
        return piece

    def _read_piece(self, size: int) -> bytes:
        if len(self._pieces) == 2:
            return self._pieces.pop(0)
        left = self._length - self._sent - len(self._pieces[0]) if self._pieces else 0
        if left > 0:
            piece = self._file.read(min(size, left))
            if not piece:
                raise ServerError("The file became shorter while it was sent.")
            return piece
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self._file.close()


def _make_part(name: str, value: str = "", file_name: str | None = None) -> str:
    part = RequestField(name, "", filename=file_name)
    part.make_multipart(content_type=None if file_name is None else "application/octet-stream")
    return f"{part.render_headers()}{value}"
