"""Parse client URLs and decide which addresses may be connected to (SSRF protection).

A URL is parsed once, strictly, into a ``Target``, and the request is built from its parts, so no second parser can read
another host in it. ``Gate.admit`` returns the addresses that it has checked, and the caller connects to those: the name
is not resolved again for the connection, which would allow DNS rebinding.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import idna

from app.core.errors import SpeechError

PORTS = {"http": 80, "https": 443}
MOST_CHARACTERS = 8000
LABEL_LENGTH = 1024
# Parsers disagree about backslashes and control characters; U+FFFD and surrogates are text that was not UTF-8.
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff\ufffd]")
HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
BRACKETED = re.compile(r"\[[0-9a-fA-F:.]+\](:[0-9]*)?", re.ASCII)
LOOKS_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)", re.ASCII)  # what inet_aton might parse as an address
KEPT_IN_PATHS = "/%:@!$&'()*+,;=~-._[]"

# IANA special-purpose address registry, and the internal address of Azure (168.63.129.16).
CLOSED_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ).split()
]
# Everything outside 2000::/3 is closed: loopback, IPv4-mapped and IPv4-compatible, local, multicast, reserved addresses.
# Closed inside it: protocol assignments (Teredo among them), documentation, 6to4.
UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
CLOSED_V6 = [ipaddress.IPv6Network(n) for n in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()]
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: holds an IPv4 address, and that one is checked

Resolve = Callable[[str, int], list[str]]


class UnresolvedError(SpeechError):
    """The host name has no known address.

    ``surely`` is true when DNS says that it does not exist.
    """

    def __init__(self, host: str, surely: bool) -> None:
        super().__init__("download_failed", f"The host name {host} cannot be resolved.")
        self.surely = surely


@dataclass(frozen=True)
class Target:
    """A parsed http(s) URL.

    ``host`` is in lower case, ``path`` includes the query; both are in ASCII, as sent.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a signature."""
        return self.url.partition("?")[0]

    @property
    def label(self) -> str:
        """The recording's name: the last part of the path, or else the host."""
        name = unquote(self.path.partition("?")[0].rpartition("/")[2], errors="replace").replace("\0", "")
        return (name or self.host)[:LABEL_LENGTH]


def parse_url(url: str) -> Target:
    """Parse an http(s) URL.

    Raises SpeechError; its message never quotes the URL, which may hold secrets.
    """
    if len(url) > MOST_CHARACTERS:
        raise _invalid_url(f"The URL is longer than {MOST_CHARACTERS} characters.")
    if FORBIDDEN.search(url) or url != url.strip():
        raise _invalid_url("The URL must not contain control characters or backslashes, or start or end with a space.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid_url("The URL has no readable host and port.") from error
    if parts.scheme not in PORTS:
        raise blocked_error("Only http:// and https:// URLs are supported.")
    if "@" in parts.netloc:
        raise _invalid_url("The URL must not contain a user name or password.")
    if port == 0:
        raise _invalid_url("The URL has no readable host and port.")
    path = quote(parts.path or "/", safe=KEPT_IN_PATHS)
    if parts.query:
        path += "?" + quote(parts.query, safe=KEPT_IN_PATHS + "?")
    return Target(parts.scheme, _parse_host(parts.netloc, parts.hostname), port or PORTS[parts.scheme], path)


def _parse_host(netloc: str, name: str | None) -> str:
    """Normalize a host to an ASCII name or an address."""
    if not name or "%" in netloc:  # an encoded host, or the zone of a link-local IPv6 address
        raise _invalid_url("The URL has no readable host and port.")
    if netloc.startswith("["):
        return _parse_address(name if BRACKETED.fullmatch(netloc) else "")
    try:
        host = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _invalid_url("The URL's host is not a valid name.") from error
    host = host.lower().removesuffix(".")  # an absolute name, which ends with a dot, is the same host
    if LOOKS_NUMERIC.fullmatch(host):
        return _parse_address(host)
    if len(host) > 253 or not HOST_NAME.fullmatch(host):
        raise _invalid_url("The URL's host is not a valid name.")
    return host


def _parse_address(text: str) -> str:
    """Parse an address strictly.

    The C library would accept ``127.1`` and ``0x7f000001`` as 127.0.0.1.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise blocked_error("A numeric host must be an IP address in standard notation.") from error


def is_literal(host: str) -> bool:
    """Whether the host is an IP address, or could be read as one."""
    return ":" in host or LOOKS_NUMERIC.fullmatch(host) is not None


def resolve(host: str, port: int) -> list[str]:
    """Resolve ``host`` to its addresses, in the system's order of preference.

    Raises UnresolvedError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        surely = isinstance(error, UnicodeError) or error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        raise UnresolvedError(host, surely) from error
    # dict keys: unique, and in order
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Gate:
    """Allow connections to public addresses and to the entries of ``fetch.allow``."""

    def __init__(self, allow: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        entries = [parse_allow_entry(entry) for entry in allow]
        self._hosts = {entry for entry in entries if isinstance(entry, str)}
        self._networks = [entry for entry in entries if not isinstance(entry, str)]
        self._resolve = resolve

    def admit(self, target: Target) -> list[str]:
        """Return the addresses to connect to.

        Raises SpeechError ``blocked_address`` when any of them is closed.
        """
        addresses = [target.host] if is_literal(target.host) else self._resolve(target.host, target.port)
        if not addresses:
            raise UnresolvedError(target.host, surely=True)
        if target.host not in self._hosts and not all(self._is_open(address) for address in addresses):
            raise blocked_error(
                f"The host {target.host} has an address that is neither public nor allowed by the operator (fetch.allow)."
            )
        return addresses

    def _is_open(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._networks) or (is_public(ip) and not is_own(address))


def parse_allow_entry(entry: str) -> Any:
    """Parse an entry of ``fetch.allow``: a network, an address or a host name.

    Raises ValueError.
    """
    if "/" in entry or is_literal(entry):
        return ipaddress.ip_network(entry)
    if not HOST_NAME.fullmatch(entry.lower()):
        raise ValueError(f"{entry!r:.60} is neither a network nor a host name")
    return entry.lower()


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether the address is in the public internet."""
    if isinstance(ip, ipaddress.IPv6Address) and ip in NAT64:
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in CLOSED_V4)
    return ip in UNICAST_V6 and not any(ip in network for network in CLOSED_V6)


def is_own(address: str) -> bool:
    """Whether the address belongs to this machine, whose own services are behind no firewall.

    For a connection to one of its own addresses the kernel uses the same address as source. Connecting a datagram socket
    sends no packet.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:  # no route
            return False
        return bool(probe.getsockname()[0] == address)


def blocked_error(message: str) -> SpeechError:
    """Create the error for an address that is not allowed."""
    return SpeechError("blocked_address", message)


def _invalid_url(message: str) -> SpeechError:
    return SpeechError("download_failed", message)
