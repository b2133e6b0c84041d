"""Interpret responses to downloads, and turn exceptions into messages without the URL."""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus
from urllib.parse import quote, urljoin

import certifi
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.response import BaseHTTPResponse

from app.core.errors import SpeechError
from app.core.net.addresses import Target, parse

REDIRECTS = (301, 302, 303, 307, 308)
PAGES = ("text/html", "application/xhtml+xml")
# Kept as they are in a Location header, which is encoded already; only other characters are quoted.
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def trust() -> ssl.SSLContext:
    """Trust the system's certificates (or SSL_CERT_FILE) and certifi's, as slim containers have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def redirected(target: Target, response: BaseHTTPResponse) -> Target:
    """Parse the target of a redirect. Raises SpeechError."""
    location = response.headers.get("Location", "")
    if not location:
        raise failed(f"The server answered {response.status} without a Location header.")
    try:
        # http.client decodes headers as Latin-1, but servers write UTF-8
        return parse(urljoin(target.url, quote(location.encode("latin-1"), safe=VISIBLE)))
    except SpeechError as error:
        raise after_redirect(error) from error
    except ValueError as error:
        raise failed("The URL redirects to an invalid URL.") from error


def after_redirect(error: SpeechError) -> SpeechError:
    """Add to an error that it concerns the target of a redirect."""
    return SpeechError(error.code, f"The URL redirects to another one. {error.message}")


def length(response: BaseHTTPResponse) -> int | None:
    """The Content-Length, or None.

    Raises SpeechError when the response is not a recording.
    """
    if response.status != HTTPStatus.OK:
        phrase = {status.value: f" {status.phrase}" for status in HTTPStatus}.get(response.status, "")
        raise failed(f"The server answered {response.status}{phrase} instead of a recording.")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise failed(
            "The server sent a compressed recording, although the request asked for none (Accept-Encoding: identity)."
        )
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in PAGES:
        raise failed("The server sent a web page instead of a recording.")
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else None  # fits 64 bits


def told(error: Exception) -> Exception:
    """Translate a network or disk error into a SpeechError.

    Return other exceptions unchanged.
    The exception's own text is not used, as it may hold the URL.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return failed("The server's certificate is not valid for the host.")
    if isinstance(error, ssl.SSLError):
        return failed("The TLS connection to the server failed.")
    if isinstance(error, ProtocolError):
        return failed("The connection was lost before the recording was complete.")
    if isinstance(error, TimeoutError | HTTPTimeoutError):
        return failed("The server did not answer in time.")
    if isinstance(error, HTTPError | http.client.HTTPException | ConnectionError):
        return failed("The connection to the server failed.")
    if isinstance(error, OSError):
        return failed(f"The recording could not be received or stored ({error.strerror or 'input/output error'}).")
    return error


def failed(message: str) -> SpeechError:
    """Create the error of a failed download."""
    return SpeechError("download_failed", message)
