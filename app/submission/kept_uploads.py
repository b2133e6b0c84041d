"""Receive a recording as the body of a request, and keep it for the tasks that will name it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from flask import Request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.auth import current_owner, may_see
from app.core.db import uploads as rows
from app.core.storage.paths import INCOMING
from app.core.storage.space import MEBIBYTE
from app.core.storage.storage import Storage
from app.current import get_settings, get_storage
from app.submission.body import MULTIPART
from app.submission.uploads import Part, check_space

CHUNK = 256 * 1024
SPACE_CHECK_BYTES = 8 * MEBIBYTE
TOKEN_BYTES = 32
LABEL = "recording"  # the name of a file that was uploaded without one


@dataclass(frozen=True)
class KeptUpload:
    """A recording in cache/uploads/.

    ``digest`` is its SHA-256 in hexadecimal, ``shown`` its URL as clients see it.
    """

    token: str
    digest: str
    shown: str = ""
    label: str = LABEL

    def link(self, storage: Storage, identifier: str) -> None:
        """Give the recording to a task. Answers 400 when the upload has just expired."""
        try:
            storage.copy_upload(self.token, identifier)
        except FileNotFoundError as error:
            raise BadRequest("The upload has expired; send the recording again.") from error


def keep_upload(request: Request) -> KeptUpload:
    """Store the body of a request. It is durable when this returns.

    Answers 400 for an empty body or a form, 413 or 507 if it is too large, 415 if it is compressed.
    """
    settings = get_settings()
    _check_headers(request)
    request.max_content_length = settings.limits.max_upload_mb * MEBIBYTE
    check_space(settings.cache.path, settings.limits.min_free_mb, request.content_length or 0)
    part = Part(settings.cache.path / INCOMING)
    request.environ.setdefault("speech.parts", []).append(part)  # removed at the end of a request that fails
    if not _receive(request, part):
        raise BadRequest("The body is empty. Send the recording as the body: curl --data-binary @recording.wav")
    part.close()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    get_storage().keep_upload(Path(part.name), token)
    # After the file: the purge removes a file without a row.
    rows.add(token, current_owner(), part.read_digest())
    return KeptUpload(token, part.read_digest())


def find_upload(token: str, shown: str) -> KeptUpload | None:
    """Find an upload that this request may use."""
    row = rows.get(token)
    return KeptUpload(token, str(row.digest), shown) if row is not None and may_see(row.owner) else None


def discard_upload(token: str) -> None:
    """Remove an upload that this request may use, if it is still there."""
    if find_upload(token, "") is not None and rows.remove(token):
        get_storage().discard_upload(token)


def _check_headers(request: Request) -> None:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(f"The body is compressed (Content-Encoding: {encoding:.40}).")
    if request.mimetype == MULTIPART:
        raise BadRequest("Send the recording itself as the body, not a form: curl --data-binary @recording.wav")


def _receive(request: Request, part: Part) -> int:
    """Write the body to ``part``; return its size in bytes."""
    settings, size, checked = get_settings(), 0, 0
    while data := request.stream.read(CHUNK):
        size += part.write(data)
        if size - checked > SPACE_CHECK_BYTES:  # its length may be unknown, and others fill the disk meanwhile
            checked = size
            check_space(settings.cache.path, settings.limits.min_free_mb)
    return size
