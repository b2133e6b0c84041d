"""Refuse request bodies that are not a readable form, and say why."""

from __future__ import annotations

from urllib.parse import unquote_plus

from flask import Request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
SEND_A_FORM = (
    f"Send {MULTIPART}: curl -F file=@recording.wav, or curl -F file_url=https://example.org/recording.wav. "
    "Parameters are fields of the form, or in the query."
)


class EncodedBody(UnsupportedMediaType):
    """415 that names the accepted encoding (RFC 9110, section 15.5.16)."""

    def get_headers(self, environ: object = None, scope: object = None) -> list[tuple[str, str]]:
        return [*super().get_headers(environ, scope), ("Accept-Encoding", "identity")]  # type: ignore[arg-type]


def require_form(request: Request) -> None:
    """Answer 415 for a body that is no form, 400 without a boundary.

    The headers tell, so that the body need not be read.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise EncodedBody(f"The body is compressed (Content-Encoding: {encoding:.40}). Send it without compression.")
    if request.mimetype == MULTIPART:
        if not request.mimetype_params.get("boundary"):
            say = "The header Content-Type has no boundary. Do not set this header: your HTTP client does, with the boundary."
            raise BadRequest(say)
    elif request.mimetype != URLENCODED and _has_body(request):
        kind = "JSON" if request.is_json else f"{request.mimetype:.80}" or "of unknown type"
        raise UnsupportedMediaType(f"The body is {kind}, not a form. {SEND_A_FORM}")


def list_names_without_value(request: Request) -> set[str]:
    """List the parameters that have no value, not even an empty one.

    Such as ``?vad_filter``. Call it before the form is parsed: it reads the body of an URL-encoded form.
    """
    sent = [request.query_string]
    if request.mimetype == URLENCODED:
        sent.append(request.get_data())
    parts = [part for text in sent for part in text.decode("utf-8", "surrogateescape").split("&")]
    return {unquote_plus(part) for part in parts if part and "=" not in part}


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "").lower()
