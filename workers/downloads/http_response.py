"""Interpret responses to downloads, and turn exceptions into messages without the URL."""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus
from urllib.parse import quote, urljoin

from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.response import BaseHTTPResponse

from app.core.errors import SpeechError
from app.core.net.addresses import Target, parse_url

REDIRECTS = (301, 302, 303, 307, 308)
PAGES = ("text/html", "application/xhtml+xml")
# Kept as they are in a Location header, which is encoded already; only other characters are quoted.
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def parse_redirect(target: Target, response: BaseHTTPResponse) -> Target:
    """Parse the target of a redirect. Raises SpeechError."""
    location = response.headers.get("Location", "")
    if not location:
        raise download_error(f"The server answered {response.status} without a Location header.")
    try:
        # http.client decodes headers as Latin-1, but servers write UTF-8
        return parse_url(urljoin(target.url, quote(location.encode("latin-1"), safe=VISIBLE)))
    except SpeechError as error:
        raise redirect_error(error) from error
    except ValueError as error:
        raise download_error("The URL redirects to an invalid URL.") from error


def redirect_error(error: SpeechError) -> SpeechError:
    """Add to an error that it concerns the target of a redirect."""
    return SpeechError(error.code, f"The URL redirects to another one. {error.message}")


def read_length(response: BaseHTTPResponse) -> int | None:
    """The Content-Length, or None.

    Raises SpeechError when the response is not a recording.
    """
    if response.status != HTTPStatus.OK:
        phrase = {status.value: f" {status.phrase}" for status in HTTPStatus}.get(response.status, "")
        raise download_error(f"The server answered {response.status}{phrase} instead of a recording.")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise download_error(
            "The server sent a compressed recording, although the request asked for none (Accept-Encoding: identity)."
        )
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in PAGES:
        raise download_error("The server sent a web page instead of a recording.")
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else None  # fits 64 bits


def translate_error(error: Exception) -> Exception:
    """Translate a network or disk error into a SpeechError.

    Return other exceptions unchanged.
    The exception's own text is not used, as it may hold the URL.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return download_error("The server's certificate is not valid for the host.")
    if isinstance(error, ssl.SSLError):
        return download_error("The TLS connection to the server failed.")
    if isinstance(error, ProtocolError):
        return download_error("The connection was lost before the recording was complete.")
    if isinstance(error, TimeoutError | HTTPTimeoutError):
        return download_error("The server did not answer in time.")
    if isinstance(error, HTTPError | http.client.HTTPException | ConnectionError):
        return download_error("The connection to the server failed.")
    if isinstance(error, OSError):
        return download_error(
            f"The recording could not be received or stored ({error.strerror or 'input/output error'})."
        )
    return error


def download_error(message: str) -> SpeechError:
    """Create the error of a failed download."""
    return SpeechError("download_failed", message)
