"""URLs are parsed strictly; only public or allowed addresses are admitted."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from app.core.errors import SpeechError
from app.core.net import addresses
from app.core.net.addresses import Gate, UnresolvedError, parse_url

INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "192.88.99.1"),
    *("198.51.100.1", "203.0.113.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1", "::8.8.8.8"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "100::1"),
    *("2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:db8::1"),
    *("3fff::1", "5f00::1", "4000::1", "e000::1"),
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:2800:220:1::1", "2a00::1"]


def resolving(*found: str) -> Gate:
    return Gate(resolve=lambda host, port: list(found))


def code(url: str, gate: Gate | None = None) -> str | None:
    """The error code for the URL, or None."""
    try:
        (gate or Gate()).admit(parse_url(url))
    except SpeechError as error:
        assert "secret" not in str(error)
        return error.code
    return None


@pytest.mark.parametrize("address", INSIDE)
def test_private_address_is_blocked_in_a_url_and_behind_a_name(address: str) -> None:
    assert code("http://media.example/a.wav", resolving(address)) == "blocked_address"
    literal = f"[{address}]" if ":" in address else address
    assert code(f"http://{literal}/a.wav") in ({"blocked_address"} if "%" not in address else {"download_failed"})


@pytest.mark.parametrize("address", [*PUBLIC, "64:ff9b::8.8.8.8"])
def test_public_address_is_allowed_and_returned(address: str) -> None:
    assert resolving(address).admit(parse_url("http://media.example/a.wav")) == [address]
    literal = f"[{address}]" if ":" in address else address
    assert Gate().admit(parse_url(f"http://{literal}/")) == [str(ipaddress.ip_address(address))]


def test_one_private_address_blocks_the_host() -> None:
    assert code("http://media.example/", resolving("8.8.8.8", "10.0.0.1")) == "blocked_address"
    assert code("http://media.example/", resolving("8.8.8.8", "2a00::1")) is None


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "017700000001", "0177.0.0.1", "0"),
        *("127.0.0.01", "00.0.0.0", "127.0.0.1.", "127。0。0。1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "0x", "8.8.2056"),
        *("[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::1]", "[v1.x]"),
    ],
)
def test_no_notation_of_a_private_address_is_accepted(host: str) -> None:
    never = Gate(resolve=lambda host, port: pytest.fail(f"{host} was looked up"))
    assert code(f"http://{host}/a.wav", never) == "blocked_address"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "ｌocalhost"])
def test_names_of_this_machine_are_blocked(host: str) -> None:
    assert code(f"http://{host}/") == "blocked_address"


def test_own_address_is_blocked_even_when_it_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda ip: True)
    assert code("http://media.example/", resolving("127.0.0.1")) == "blocked_address"
    assert not addresses.is_own("8.8.8.8")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "gopher://x/",
            "concat:a|b",
            "ftp://x/a",
            "data:audio/wav,x",
            "//x/a",
            "x",
            "",
            "HTTPS",
        ),
        *("javascript:alert(1)", "unix:/run/x", "subfile,,start,0,end,0,,:http://x/", "http+unix://x/", "/etc/passwd"),
    ],
)
def test_only_http_and_https_are_accepted(url: str) -> None:
    assert code(url) == "blocked_address"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://",
            "http:///a",
            "http:a",
            "http://:80/",
            "http://h:0/",
            "http://h:65536/",
            "http://h:x/",
            "http://h:-1/",
        ),
        *("http://me:secret@h/", "http://secret@h/", "http://@h/", "http://h:secret@127.0.0.1/", "http://h@/secret"),
        *("http://a b/", "http://h\\@secret/", "http://h/\\", "http://h/a\nb", "http://h\t/", "\x00http://h/"),
        *(
            " http://h/",
            "http://h/ ",
            "http://%31%32%37.0.0.1/",
            "http://h%00/",
            "http://fe80::1/",
            "http://[fe80::1%25e]/",
        ),
        *("http://a..b/", "http://.a/", "http://-a/", "http://" + "a" * 64 + "/", "http://" + "a." * 130 + "b/"),
        *(
            "http://h/" + "a" * 8000,
            "http://h/\udcff",
            "http://h/\ufffd",
            "http://a℀b/",
            "http://a,b/",
            "http://\u202eh/",
        ),
    ],
    ids=ascii,
)
def test_ambiguous_url_is_refused(url: str) -> None:
    assert code(url, resolving("8.8.8.8")) == "download_failed"


@pytest.mark.parametrize("netloc", ["[::1]x", "x[::1]", "[::1]:80:80", "[[::1]]", "[::1", "::1]"])
def test_malformed_brackets_are_refused(netloc: str) -> None:
    assert code(f"http://{netloc}/", resolving("8.8.8.8")) is not None


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://H.Example", "h.example", "/"),
        (
            "https://h.example:443/a%20b c/ä.wav?x=1&sig=a%2Bb/=#part",
            "h.example",
            "/a%20b%20c/%C3%A4.wav?x=1&sig=a%2Bb/=",
        ),
        ("http://h:8080//evil.example/x?http://y/?z", "h:8080", "//evil.example/x?http://y/?z"),
        ("http://bücher.example:80/", "xn--bcher-kva.example", "/"),
        ("https://[2A00:0::1]:8443/<a>", "[2a00::1]:8443", "/%3Ca%3E"),
        ("http://h?q", "h", "/?q"),
        ("http://my_host.example./", "my_host.example", "/"),
    ],
)
def test_url_is_encoded_for_the_request(url: str, authority: str, path: str) -> None:
    target = parse_url(url)
    assert (target.authority, target.path) == (authority, path)
    assert parse_url(target.url) == target
    assert target.path.isascii()


def test_shown_url_has_no_query() -> None:
    target = parse_url("https://h.example/rooms/Gespr%C3%A4ch%201.wav?sig=secret")
    assert target.shown == "https://h.example/rooms/Gespr%C3%A4ch%201.wav"
    assert target.label == "Gespräch 1.wav"
    assert "secret" not in repr(target)
    assert parse_url("https://h.example/").label == "h.example"
    assert parse_url("https://h/" + "a" * 5000).label == "a" * 1024


def test_missing_name_is_distinguished_from_a_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, surely in ((socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)):

        def failing(*arguments: object, number: int = number, **kwargs: object) -> None:
            raise socket.gaierror(number, "said the resolver")

        monkeypatch.setattr(socket, "getaddrinfo", failing)
        with pytest.raises(UnresolvedError) as unresolved:
            Gate().admit(parse_url("http://media.example/"))
        assert unresolved.value.surely is surely
        assert unresolved.value.code == "download_failed"
    with pytest.raises(UnresolvedError):
        resolving().admit(parse_url("http://media.example/"))


def test_networks_addresses_and_hosts_can_be_allowed() -> None:
    gate = Gate(["10.20.0.0/16", "192.168.7.7", "Media.Lab", "fd00::/8"], lambda host, port: [found[host]])
    found = {"a": "10.20.3.4", "b": "10.21.0.1", "media.lab": "172.16.0.1", "x.media.lab": "172.16.0.1", "c": "fd00::5"}
    admitted = [host for host in found if code(f"http://{host}/", gate) is None]
    assert admitted == ["a", "media.lab", "c"]
    assert code("http://192.168.7.7/", gate) is None
    assert code("http://192.168.7.8/", gate) == "blocked_address"
    assert code("http://[::ffff:10.20.3.4]/", gate) == "blocked_address"


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "10.0.0.0/33", "a b", "http://h/", "h:80", "1.2.3", "*.lab", "[::1]"]
)
def test_invalid_entry_of_fetch_allow_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Gate([entry])
