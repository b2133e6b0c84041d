"""Send one HTTP request to an address that was checked.

Single urllib3 connections are used instead of its pools, for three reasons. They connect to the address that was checked,
while Host, SNI and the certificate check use the name. They ignore proxies. Their socket is accessible, so ``abort`` works
even on a server that sends its headers one byte at a time.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from app.core.net.addresses import Target


def create_ssl_context() -> ssl.SSLContext:
    """Trust the system's certificates (or SSL_CERT_FILE) and certifi's, as slim containers have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class CheckedConnection:
    """One request at a time: call ``send`` and ``close`` in one thread, ``abort`` from another.

    ``connect_seconds`` limit the connection to each address, ``read_seconds`` each wait for the server.
    """

    def __init__(self, connect_seconds: float, read_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None

    def send(
        self,
        target: Target,
        addresses: list[str],
        headers: Mapping[str, str],
        method: str = "GET",
        body: bytes | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> BaseHTTPResponse:
        """Send the request to the first of ``addresses`` that accepts a connection; return the response.

        ``check`` is called after each attempt to connect; it may raise an exception.
        """
        for number, address in enumerate(addresses):
            try:
                connection = self._connect(target, address)
                break
            except OSError as error:  # urllib3 raises HTTPError, caught below
                # a TLS error is final: another address of the host would not be more trustworthy
                if number == len(addresses) - 1 or isinstance(error, ssl.SSLError):
                    raise
            except HTTPError:
                if number == len(addresses) - 1:
                    raise
            finally:
                check()
        sent = {"Host": target.authority, **headers}
        connection.request(method, target.path, body=body, headers=sent, preload_content=False, decode_content=False)
        return connection.getresponse()

    def abort(self) -> None:
        """Make the thread that sends or reads fail at once.

        Only a connection attempt may last its ``connect_seconds``.
        """
        with self._lock:
            connected = self._connection.sock if self._connection else None
            for waiting in {self._socket, connected} - {None}:
                with contextlib.suppress(OSError):  # wrapped in TLS meanwhile, or closed already
                    # The base class's shutdown: SSLSocket's own drops the TLS state that the reading thread still uses.
                    socket.socket.shutdown(waiting, socket.SHUT_RDWR)  # type: ignore[arg-type]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._socket = None

    def _connect(self, target: Target, address: str) -> HTTPConnection:
        timeout = self._connect_seconds
        connection: HTTPConnection
        if target.scheme == "https":
            context = create_ssl_context()
            connection = HTTPSConnection(
                address, target.port, timeout=timeout, server_hostname=target.host, ssl_context=context
            )
        else:
            connection = HTTPConnection(address, target.port, timeout=timeout)
        with self._lock:
            self._connection = connection
        connection.connect()
        connection.timeout = self._read_seconds  # urllib3 applies it to the request and the response
        with self._lock:
            self._socket = connection.sock
        return connection
