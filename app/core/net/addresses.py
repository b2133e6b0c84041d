"""Read a client's URL, and decide whether its host's addresses may be connected to; what is read here is what is requested.

A URL is parsed once, strictly, into a ``Target``, and the request is made from its parts: no second parser can see another
host in it. ``Gate.admit`` returns the addresses that it has judged, for the caller to connect to; a name is never looked up
again for the connection (DNS rebinding).
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
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff\ufffd]")
HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
BRACKETED = re.compile(r"\[[0-9a-fA-F:.]+\](:[0-9]*)?", re.ASCII)
LOOKS_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)", re.ASCII)  # what inet_aton might take for an address
KEPT_IN_PATHS = "/%:@!$&'()*+,;=~-._[]"

# IANA's special-purpose registries, and what clouds answer on inside (168.63.129.16 is Azure's).
CLOSED_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ).split()
]
# Everything outside 2000::/3 is closed: loopback, mapped and compatible IPv4, local, multicast, reserved. Inside it: protocol
# assignments with Teredo, documentation, 6to4.
UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
CLOSED_V6 = [ipaddress.IPv6Network(n) for n in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()]
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # how networks without IPv4 reach IPv4: judged by the address inside

Resolve = Callable[[str, int], list[str]]


class UnresolvedError(SpeechError):
    """The host's name could not be turned into an address; ``surely`` when the name service said that there is none."""

    def __init__(self, host: str, surely: bool) -> None:
        super().__init__("download_failed", f"The host {host} cannot be found.")
        self.surely = surely


@dataclass(frozen=True)
class Target:
    """An http or https URL in parts; ``host`` in lower case, ``path`` with the query, in ASCII as it goes over the wire."""

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
        """What the recording is called: the last part of the path, or else the host."""
        name = unquote(self.path.partition("?")[0].rpartition("/")[2], errors="replace").replace("\0", "")
        return (name or self.host)[:LABEL_LENGTH]


def parse(url: str) -> Target:
    """The parts of an http(s) URL. Raises SpeechError with a sentence that repeats nothing of the URL."""
    if len(url) > MOST_CHARACTERS:
        raise _unusable(f"The URL is longer than {MOST_CHARACTERS} characters.")
    if FORBIDDEN.search(url) or url != url.strip():
        raise _unusable("The URL must not contain control characters or backslashes, nor begin or end with a space.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unusable("The URL has no readable host and port.") from error
    if parts.scheme not in PORTS:
        raise blocked("Only http:// and https:// are fetched.")
    if "@" in parts.netloc:
        raise _unusable("The URL must not contain a user name or password.")
    if port == 0:
        raise _unusable("The URL has no readable host and port.")
    path = quote(parts.path or "/", safe=KEPT_IN_PATHS)
    if parts.query:
        path += "?" + quote(parts.query, safe=KEPT_IN_PATHS + "?")
    return Target(parts.scheme, _host(parts.netloc, parts.hostname), port or PORTS[parts.scheme], path)


def _host(netloc: str, name: str | None) -> str:
    """A name in ASCII, or an address as ``ipaddress`` writes it."""
    if not name or "%" in netloc:
        raise _unusable("The URL has no readable host and port.")
    if netloc.startswith("["):
        return _literal(name if BRACKETED.fullmatch(netloc) else "")
    try:
        host = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _unusable("The URL's host is not a valid name.") from error
    host = host.lower().removesuffix(".")
    if LOOKS_NUMERIC.fullmatch(host):
        return _literal(host)
    if len(host) > 253 or not HOST_NAME.fullmatch(host):
        raise _unusable("The URL's host is not a valid name.")
    return host


def _literal(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise blocked("A numeric host must be an address in its usual form.") from error


def is_literal(host: str) -> bool:
    return ":" in host or LOOKS_NUMERIC.fullmatch(host) is not None


def resolve(host: str, port: int) -> list[str]:
    """Every address of ``host``, in the system's order of preference. Raises UnresolvedError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        surely = isinstance(error, UnicodeError) or error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        raise UnresolvedError(host, surely) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Gate:
    """The rule of what may be connected to: public addresses, and what the operator's ``fetch.allow`` names."""

    def __init__(self, allow: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        entries = [allowed(entry) for entry in allow]
        self._hosts = {entry for entry in entries if isinstance(entry, str)}
        self._networks = [entry for entry in entries if not isinstance(entry, str)]
        self._resolve = resolve

    def admit(self, target: Target) -> list[str]:
        """The addresses to connect to. Raises SpeechError ``blocked_address`` when a single one of them is closed."""
        addresses = [target.host] if is_literal(target.host) else self._resolve(target.host, target.port)
        if not addresses:
            raise UnresolvedError(target.host, surely=True)
        if target.host not in self._hosts and not all(self._open(address) for address in addresses):
            raise blocked(f"The host {target.host} has an address that is neither public nor allowed by the operator.")
        return addresses

    def _open(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._networks) or (is_public(ip) and not is_own(address))


def allowed(entry: str) -> Any:
    """An entry of ``fetch.allow``: a network, an address, or a host's name. Raises ValueError with a sentence."""
    if "/" in entry or is_literal(entry):
        return ipaddress.ip_network(entry)
    if not HOST_NAME.fullmatch(entry.lower()):
        raise ValueError(f"{entry!r:.60} is neither a network nor a host's name")
    return entry.lower()


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv6Address) and ip in NAT64:
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in CLOSED_V4)
    return ip in UNICAST_V6 and not any(ip in network for network in CLOSED_V6)


def is_own(address: str) -> bool:
    """Whether the address is this machine's, where services may listen that no firewall keeps from it.

    The kernel answers to one of its own addresses from that address; connecting a datagram socket sends nothing.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:  # no way leads there
            return False
        return bool(probe.getsockname()[0] == address)


def blocked(sentence: str) -> SpeechError:
    return SpeechError("blocked_address", sentence)


def _unusable(sentence: str) -> SpeechError:
    return SpeechError("download_failed", sentence)
