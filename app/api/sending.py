"""Send stored files, or ranges of them, as attachments."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from flask import Response, current_app, request, send_file
from werkzeug.wsgi import FileWrapper

from app.core.storage.stored_file import RemoteFile, StoredFile

CHUNK = 256 * 1024
UNKNOWN_TYPE = "application/octet-stream"


def send_stored(file: StoredFile, media_type: str | None, name: str, may_redirect: bool = True) -> Response:
    """Answer with the file, under ``name``. Without a media type, that of the name is sent. Raises FileNotFoundError.

    ``may_redirect``: the client may be sent to the store, if the settings allow that.
    """
    if isinstance(file, RemoteFile):
        return _send_remote(file, media_type or mimetypes.guess_type(name)[0] or UNKNOWN_TYPE, name, may_redirect)
    return send_file(file.path, media_type, as_attachment=True, download_name=name, conditional=True)


def _send_remote(file: RemoteFile, media_type: str, name: str, may_redirect: bool) -> Response:
    disposition = _describe_attachment(name)
    url = file.sign_url(media_type, disposition) if may_redirect and _follows_redirects() else None
    if url is not None:
        return current_app.response_class(status=302, headers={"Location": url})
    # Not wsgi.file_wrapper: gunicorn's reads a range from the beginning of the file.
    response = current_app.response_class(FileWrapper(file.open(), CHUNK), mimetype=media_type, direct_passthrough=True)
    response.content_length = file.size
    response.last_modified = file.modified
    response.set_etag(file.tag)
    response.headers["Content-Disposition"] = disposition
    response.make_conditional(request.environ, accept_ranges=True, complete_length=file.size)
    return response


def _follows_redirects() -> bool:
    """Whether a signed URL is of use: it is for GET, and a page may not load from another site what it loads from ours."""
    return request.method == "GET" and request.headers.get("Sec-Fetch-Site") in (None, "none")


def _describe_attachment(name: str) -> str:
    """Write the header Content-Disposition as RFC 6266 says."""
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
