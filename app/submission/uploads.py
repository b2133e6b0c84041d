"""Receive uploads directly into cache/.

An upload is written once, in bounded memory, and is durable before the request is answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.core.storage.paths import INCOMING, PART
from app.core.storage.space import MEBIBYTE, has_space
from app.core.storage.storage import Storage
from app.current import get_settings
from app.http_errors import InsufficientStorage, reject

LABEL_LENGTH = 1024
UNKNOWN_FIELD = "Unknown file field; send the recording as 'file'."
SEVERAL = "Given more than once; send each recording in a request of its own, or all of them to /batch."
NO_RECORDING = "Send the recording as multipart form field 'file', or its URL as 'file_url'."


class ReadableForm(FormDataParser):
    """Werkzeug's form parser, with errors reported.

    By default, it treats a form that it cannot parse as empty.
    """

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        self.silent = False  # True, the default, hides errors
        try:
            return super().parse(*args, **kwargs)
        except ValueError as error:
            say = "it is truncated or malformed, has another boundary than Content-Type says, or a header is not UTF-8."
            raise BadRequest(f"The form cannot be parsed: {say}") from error


class UploadRequest(Request):
    """A request that stores uploads in cache/incoming/.

    Werkzeug's temporary files would have to be copied again.
    """

    form_data_parser_class = ReadableForm
    max_form_parts = 200
    max_fields_size: int | None = None  # bytes of all fields of a form that are no files; None: each one is limited

    def _get_stream_for_parsing(self) -> IO[bytes]:
        stream = super()._get_stream_for_parsing()
        if self.max_fields_size is None:
            return stream
        return cast(IO[bytes], MeteredStream(stream, self.environ.setdefault("speech.parts", []), self.max_fields_size))

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        settings = get_settings()
        check_space(settings.cache.path, settings.limits.min_free_mb, total_content_length or 0)
        part = Part(settings.cache.path / INCOMING)
        # discard_parts removes it, even if parsing the form fails.
        self.environ.setdefault("speech.parts", []).append(part)
        return cast(IO[bytes], part)


class MeteredStream:
    """The body of a form; answers 413 when its fields take more memory than ``most`` bytes."""

    def __init__(self, stream: IO[bytes], parts: list[Part], most: int) -> None:
        self._stream = stream
        self._parts = parts
        self._most = most
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        # What has not been written to a file yet is in memory.
        if self._received - sum(part.size for part in self._parts) > self._most:
            raise RequestEntityTooLarge
        self._received += len(data)
        return data


class Part:
    """A file in cache/incoming/ that is being received, its size and the SHA-256 of what was written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The name is random: nothing a client sends becomes part of a path.
        self._file = tempfile.NamedTemporaryFile(dir=folder, suffix=PART, delete=False)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def read_digest(self) -> str:
        """Return the SHA-256 in hexadecimal."""
        return self._hash.hexdigest()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def check_space(folder: Path, floor_mb: int, incoming: int = 0) -> None:
    """Answer 507 unless enough disk space remains.

    At least ``floor_mb`` MB must be free after ``incoming`` more bytes in ``folder``.
    """
    if not has_space(folder, floor_mb * MEBIBYTE, incoming):
        raise InsufficientStorage


def read_upload(request: Request) -> FileStorage:
    """Return the request's uploaded file.

    Answers 422 when there is none, more than one, or an empty one.
    """
    uploads = read_uploads(request)
    if len(uploads) != 1:
        say = SEVERAL if uploads else NO_RECORDING
        reject({"file": [say]})
    if is_empty(uploads[0]):
        reject({"file": ["The file is empty."]})
    return uploads[0]


def read_uploads(request: Request) -> list[FileStorage]:
    """Return the request's uploaded files in order; they may be empty.

    Answers 422 for files in other fields than ``file``.
    """
    unknown = sorted(name for name in request.files if name != "file")
    if unknown:
        reject({name: [UNKNOWN_FIELD] for name in unknown})
    return request.files.getlist("file")


def is_empty(upload: FileStorage) -> bool:
    """Whether the file has no bytes."""
    return upload.stream.seek(0, os.SEEK_END) == 0


def require_content(upload: FileStorage) -> None:
    """Answer 422 for an empty file."""
    if is_empty(upload):
        reject({"file": ["The file is empty."]})


def store_upload(upload: FileStorage, storage: Storage, identifier: str) -> None:
    """Make the upload the recording of a new task.

    It is durable when this returns, and nothing of it is left if this fails.
    """
    part: Any = upload.stream
    part.close()
    storage.keep(Path(part.name), identifier)


def read_digest(upload: FileStorage) -> str:
    """Return the SHA-256 of an upload, in hexadecimal."""
    part: Any = upload.stream
    digest: str = part.read_digest()
    return digest


def file_label(upload: FileStorage) -> str:
    """Return the client's file name, for display.

    It is cut to LABEL_LENGTH and never becomes part of a path.
    """
    name = (upload.filename or "").replace("\0", "")
    return name.encode("utf-8", "replace").decode("utf-8")[:LABEL_LENGTH]


def discard_parts(environ: dict[str, Any]) -> None:
    """Close and remove the request's remaining files."""
    for part in environ.pop("speech.parts", []):
        with contextlib.suppress(OSError):  # on a full disk, writing the rest of the buffer fails again
            part.close()
        Path(part.name).unlink(missing_ok=True)
