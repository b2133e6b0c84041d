"""What a server's answer to a download means, and what went wrong with it, in sentences of our own."""

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
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def trust() -> ssl.SSLContext:
    """The system's authorities (SSL_CERT_FILE names others) and certifi's, as slim containers have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def redirected(target: Target, response: BaseHTTPResponse) -> Target:
    location = response.headers.get("Location", "")
    if not location:
        raise failed(f"The server answered {response.status} without saying where to look instead.")
    try:
        # http.client reads headers as Latin-1, servers write UTF-8
        return parse(urljoin(target.url, quote(location.encode("latin-1"), safe=VISIBLE)))
    except SpeechError as error:
        raise after_redirect(error) from error
    except ValueError as error:
        raise failed("The URL redirects to something that is not a URL.") from error


def after_redirect(error: SpeechError) -> SpeechError:
    return SpeechError(error.code, f"The URL redirects to another one. {error.message}")


def length(response: BaseHTTPResponse) -> int | None:
    """The length of the recording, if the answer says one. Raises SpeechError for an answer that is no recording."""
    if response.status != HTTPStatus.OK:
        phrase = {status.value: f" {status.phrase}" for status in HTTPStatus}.get(response.status, "")
        raise failed(f"The server answered {response.status}{phrase} instead of a recording.")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise failed("The server sent the recording compressed although it was asked not to.")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in PAGES:
        raise failed("The server answered with a web page instead of a recording.")
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def told(error: Exception) -> Exception:
    """What went wrong as a sentence of our own: an exception's text may hold the URL. What nobody foresaw passes."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return failed("The server's certificate is not valid for the host.")
    if isinstance(error, ssl.SSLError):
        return failed("No secure connection to the server could be made.")
    if isinstance(error, ProtocolError):
        return failed("The connection broke off before the recording was complete.")
    if isinstance(error, TimeoutError | HTTPTimeoutError):
        return failed("The server did not answer in time.")
    if isinstance(error, HTTPError | http.client.HTTPException | ConnectionError):
        return failed("The connection to the server could not be made, or broke off.")
    if isinstance(error, OSError):
        return failed(f"The recording could not be received or stored ({error.strerror or 'input/output error'}).")
    return error


def failed(sentence: str) -> SpeechError:
    return SpeechError("download_failed", sentence)
