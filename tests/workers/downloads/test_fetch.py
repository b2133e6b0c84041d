"""Downloads use checked addresses only, respect their limits, and leave no files when they fail."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from app.core.errors import SpeechError
from app.core.net.addresses import Gate
from app.core.storage.space import MEBIBYTE
from tests.service import promptly
from tests.sources import answered, dripping, redirect, source
from workers import connection
from workers.downloads.fetch import Fetch, Limits

SOUND = os.urandom(700_000)
BOUNDS = Limits(most_bytes=2 * MEBIBYTE, floor_bytes=0, seconds=60, window=30, least_per_window=1000)
HERE = ["127.0.0.0/8"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "task"


@pytest.fixture(autouse=True)
def cache(folder: Path) -> Iterator[None]:
    folder.parent.mkdir()
    yield
    assert not list(folder.glob("*.part")), "a partial download is left"


def fetch(url: str, folder: Path, resolve: dict[str, list[str]] | None = None, **bounds: Any) -> Fetch:
    """Download ``url`` while another thread calls ``watch``, as in the supervisor."""
    gate = Gate(HERE, lambda host, port: (resolve or {})[host])
    fetching = Fetch(url, folder, replace(BOUNDS, **bounds), gate)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            fetching.watch()

    threading.Thread(target=watch, daemon=True).start()
    try:
        fetching.run()
    finally:
        done.set()
    return fetching


def failure(url: str, folder: Path, code: str = "download_failed", **kwargs: Any) -> str:
    """The message of a download that fails and leaves no file."""
    with pytest.raises(SpeechError) as failed:
        fetch(url, folder, **kwargs)
    assert failed.value.code == code, failed.value
    assert not (folder / "source").exists()
    assert "secret" not in str(failed.value)
    return failed.value.message


def test_recording_is_stored_unchanged(folder: Path) -> None:
    with source(answered(SOUND, Content_Type="audio/wav")) as server:
        fetched = fetch(f"{server.url}/a/b%20c.wav?sig=1%2B2", folder)
    assert (folder / "source").read_bytes() == SOUND
    assert (fetched.received, fetched.total, fetched.fraction) == (len(SOUND), len(SOUND), 1.0)
    assert [path.name for path in folder.iterdir()] == ["source"]


def test_request_has_the_host_no_compression_and_no_other_headers(folder: Path) -> None:
    with source(answered(SOUND)) as server:
        fetch(f"http://media.example:{server.port}/a.wav?sig=x", folder, {"media.example": ["127.0.0.1"]})
    line, *headers = server.requests[0].split("\r\n")
    assert line == "GET /a.wav?sig=x HTTP/1.1"
    sent = dict(header.split(": ", 1) for header in headers if header)
    assert sent["Host"] == f"media.example:{server.port}"
    assert sent["Accept-Encoding"] == "identity"
    assert sent.keys() == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


@pytest.mark.parametrize("size", [1, 262_144, 700_000])
def test_recording_without_content_length_is_stored(folder: Path, size: int) -> None:
    chunks = b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n"
        for part in (SOUND[start : start + 50_000] for start in range(0, size, 50_000))
        for part in [part[:size]]
    )
    whole = SOUND[: -(-size // 50_000) * 50_000] if size > 50_000 else SOUND[: min(50_000, size)]
    with source(answered(chunks + b"0\r\n\r\n", length=None, Transfer_Encoding="chunked")) as server:
        fetch(server.url, folder)
    assert (folder / "source").read_bytes() == whole
    with source(answered(SOUND[:size], length=None)) as server:  # ends with the connection
        fetch(server.url, folder)
    assert (folder / "source").read_bytes() == SOUND[:size]


def test_file_and_its_name_are_synced_at_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, str, int]] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        events.append(("fsync", path.name, path.stat().st_size if path.is_file() else 0))

    def renamed(path: Path, target: Path) -> Any:
        events.append(("rename", target.name, 0))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    with source(answered(SOUND)) as server:
        fetch(server.url, folder)
    (kind, part, size), *rest = events
    assert (kind, size) == ("fsync", len(SOUND)) and part.endswith(".part")
    assert rest == [("rename", "source", 0), ("fsync", "task", 0), ("fsync", "cache", 0)]


def test_leftovers_of_a_killed_download_are_removed(folder: Path) -> None:
    folder.mkdir()
    (folder / "source.0badcafe.part").write_bytes(b"half")
    with source(answered(SOUND)) as server:
        fetch(server.url, folder)
    assert [path.name for path in folder.iterdir()] == ["source"]


def test_connection_uses_the_checked_address_and_resolves_the_name_once(folder: Path) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.3"]  # another address at the second lookup

    with source(answered(SOUND), host="127.0.0.2") as server:
        url = f"http://media.example:{server.port}/"
        Fetch(url, folder, BOUNDS, Gate(["127.0.0.2"], resolve)).run()
    assert asked == ["media.example"]
    assert (folder / "source").read_bytes() == SOUND


def test_name_with_a_private_address_is_blocked_without_a_connection(folder: Path) -> None:
    with source(answered(SOUND)) as server:
        url = f"http://media.example:{server.port}/?secret"
        with pytest.raises(SpeechError) as blocked:
            Fetch(url, folder, BOUNDS, Gate((), lambda host, port: ["127.0.0.1"])).run()
        assert blocked.value.code == "blocked_address"
        assert server.requests == []


def test_proxy_variables_are_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with source(answered(b"from a proxy")) as proxy, source(answered(SOUND)) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        fetch(server.url, folder)
        assert proxy.requests == []
    assert (folder / "source").read_bytes() == SOUND


def test_next_address_is_tried_when_one_does_not_answer(folder: Path) -> None:
    with source(answered(SOUND)) as server:
        found = {"media.example": ["127.0.0.9", "127.0.0.1"]}
        fetch(f"http://media.example:{server.port}/", folder, found)
        assert failure(f"http://media.example:{server.port}/", folder / "2", resolve={"media.example": ["127.0.0.9"]})


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
@pytest.mark.parametrize("hops", [1, 5])
def test_redirects_are_followed(folder: Path, status: str, hops: int) -> None:
    def answer(path: str) -> Iterable[bytes]:
        hop = int(path.rpartition("/")[2])
        yield answered(SOUND) if hop == hops else redirect(f"/ä b/{hop + 1}", status)

    with source(answer) as server:
        fetch(f"{server.url}/0", folder)
    assert (folder / "source").read_bytes() == SOUND
    assert len(server.requests) == hops + 1
    assert "GET /%C3%A4%20b/1 HTTP/1.1" in server.requests[1]


def test_sixth_redirect_is_not_followed(folder: Path) -> None:
    with source(redirect("/again")) as server:
        assert "more than 5 times" in failure(server.url, folder)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://0x7f000001:{port}/", "//127.1:{port}/"),
        *("http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::1]:{port}/"),
        *("file:///etc/passwd", "gopher://127.0.0.1:{port}/", "ftp://127.0.0.1/", "http://inside.example:{port}/"),
    ],
)
def test_redirect_to_a_private_address_is_blocked_without_a_connection(folder: Path, location: str) -> None:
    with source(answered(SOUND)) as inside:
        with source(redirect(location.format(port=inside.port)), host="127.0.0.2") as server:
            names = {"media.example": "127.0.0.2", "localhost": "127.0.0.1", "inside.example": "127.0.0.1"}
            gate = Gate(["127.0.0.2"], lambda host, port: [names[host]])
            with pytest.raises(SpeechError) as blocked:
                Fetch(f"http://media.example:{server.port}/", folder, BOUNDS, gate).run()
        assert blocked.value.code == "blocked_address"
        assert "redirects" in blocked.value.message
        assert inside.requests == [] and len(server.requests) == 1


@pytest.mark.parametrize("location", ["http://me:secret@127.0.0.1/", "http://[", "", "http://h\\x/", "http://%6c/"])
def test_redirect_to_an_invalid_url_fails(folder: Path, location: str) -> None:
    with source(redirect(location)) as server:
        failure(server.url, folder)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answered(b"x", "404 Not Found"), "answered 404 Not Found"),
        (answered(b"x", "403 <script>secret"), "answered 403 Forbidden"),
        (answered(b"x", "500 Oh no"), "answered 500 Internal Server Error"),
        (answered(b"x", "799 Odd"), "answered 799 instead"),
        (answered(b"x", "206 Partial Content"), "answered 206"),
        (answered(b"", "204 No Content"), "answered 204"),
        (answered(b""), "an empty file"),
        (answered(b"<html>", Content_Type="Text/HTML; charset=utf-8"), "a web page"),
        (answered(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip"), "compressed"),
        (answered(b"x", Content_Encoding="identity, br"), "compressed"),
        (answered(b"x" * 100, length=101), "before the recording was complete"),
        (answered(b"5\r\nab", length=None, Transfer_Encoding="chunked"), "before the recording was complete"),
        (answered(b"zz\r\nab", length=None, Transfer_Encoding="chunked"), "connection was lost"),
        (answered(b"x", length=3 * MEBIBYTE), "larger than the limit of 2 MB"),
        (answered(b"x" * (2 * MEBIBYTE + 1), length=None), "larger than the limit of 2 MB"),
        (b"", "The connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "The connection"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "The connection"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "The connection"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_response_that_is_not_a_recording_fails(folder: Path, answer: bytes, says: str) -> None:
    with source(answer) as server:
        assert says in failure(f"{server.url}/?secret", folder)


def test_compressed_file_without_content_encoding_is_stored_unchanged(folder: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with source(answered(bomb, Content_Type="application/gzip")) as server:
        fetch(server.url, folder)
    assert (folder / "source").read_bytes() == bomb


def test_endless_stream_is_aborted_at_the_size_limit(folder: Path) -> None:
    with source(lambda path: dripping(answered(b"", length=None), 0, b"x" * 65536)) as server:
        assert "larger than the limit of 2 MB" in failure(server.url, folder)


HEADERS = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "silent": lambda path: dripping(b"", 5),
    "stalled body": lambda path: dripping(answered(b"x" * 5000, length=10_000), 5),
    "1 B/s body": lambda path: dripping(answered(b"", length=10_000)),
    "1 B/s chunked": lambda path: dripping(
        answered(b"", length=None, Transfer_Encoding="chunked"), piece=b"1\r\nx\r\n"
    ),
    "slow header": lambda path: dripping(HEADERS + b"X: "),
    "endless headers": lambda path: dripping(HEADERS, piece=b"X: y"),
    "endless 100": lambda path: dripping(b"", 0.001, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless trailer": lambda path: dripping(
        answered(b"1\r\nx\r\n0\r\n", length=None, Transfer_Encoding="chunked"), 0.001, b"X: y\r\n"
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_stream_is_aborted(folder: Path, kind: str) -> None:
    with source(SLOW[kind]) as server:
        began = time.monotonic()
        said = failure(server.url, folder, window=0.4)
    assert "bytes in" in said or "in time" in said
    assert time.monotonic() - began < promptly(10)


def test_pause_shorter_than_the_window_is_allowed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(path: str) -> Iterable[bytes]:
        time.sleep(0.8)
        yield answered(SOUND)[:5000]
        time.sleep(0.8)
        yield answered(SOUND)[5000:]

    monkeypatch.setattr("workers.downloads.fetch.CONNECT_SECONDS", 0.3)
    with source(answer) as server:
        fetch(server.url, folder)
    assert (folder / "source").read_bytes() == SOUND


def test_endless_redirects_of_a_slow_server_are_aborted(folder: Path) -> None:
    def answer(path: str) -> Iterable[bytes]:
        time.sleep(0.3)
        yield redirect("/")

    with source(answer) as server:
        assert "bytes in" in failure(server.url, folder, window=0.5)


def test_stream_at_the_minimum_rate_is_aborted_at_the_time_limit(folder: Path) -> None:
    with source(lambda path: dripping(answered(b"", length=None), 0.02, b"x" * 100)) as server:
        assert "not complete after 1 s" in failure(server.url, folder, seconds=1, window=0.5, least_per_window=100)


@pytest.mark.parametrize("kind", SLOW)
def test_abort_takes_effect_at_once(folder: Path, kind: str) -> None:
    with source(SLOW[kind]) as server:
        fetching = Fetch(server.url, folder, BOUNDS, Gate(HERE))
        raised: list[BaseException] = []

        def run() -> None:
            try:
                fetching.run()
            except SpeechError as error:
                raised.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.3)
        reason = SpeechError("download_failed", "Enough.")
        fetching.abort(reason)
        thread.join(promptly(2))
        assert not thread.is_alive() and raised == [reason]


def test_abort_takes_effect_between_two_chunks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: Any) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr("workers.connection.socket.socket.shutdown", gone)
    with source(lambda path: dripping(answered(b"", length=None))) as server:
        began = time.monotonic()
        assert "bytes in" in failure(server.url, folder, window=0.4, seconds=10)
    assert time.monotonic() - began < promptly(5)


def test_abort_before_the_start_makes_no_connection(folder: Path) -> None:
    with source(answered(SOUND)) as server:
        fetching = Fetch(server.url, folder, BOUNDS, Gate(HERE))
        fetching.abort(SpeechError("download_failed", "Enough."))
        with pytest.raises(SpeechError, match="Enough"):
            fetching.run()
    assert server.requests == [] and not (folder / "source").exists()


def test_free_space_check_includes_the_content_length(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with source(answered(SOUND)) as server:
        fetch(server.url, folder, floor_bytes=300_000)
        (folder / "source").unlink()
        assert "not enough disk space" in failure(server.url, folder, floor_bytes=300_001)


def test_free_space_is_checked_while_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder.parent)
    free = iter([10**9, 10**9])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=next(free, 0)))
    with source(lambda path: dripping(answered(b"", length=None), 0, b"x" * 65536)) as server:
        assert "not enough disk space" in failure(server.url, folder, floor_bytes=1, most_bytes=10**9)
    assert next(free, None) is None


def test_full_disk_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(path: Path, *arguments: Any, **kwargs: Any) -> Any:
        opened = real(path, *arguments, **kwargs)
        if path.suffix == ".part":
            device = os.open("/dev/full", os.O_WRONLY)
            os.dup2(device, opened.fileno())
            os.close(device)
        return opened

    monkeypatch.setattr(Path, "open", full)
    with source(answered(SOUND)) as server:
        assert os.strerror(errno.ENOSPC) in failure(server.url, folder)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """A certificate authority trusted by the system."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_https_connects_to_the_address_and_verifies_the_name(folder: Path, authority: trustme.CA) -> None:
    with source(answered(SOUND), context=tls(authority.issue_cert("media.example"))) as server:
        names = {"media.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
        fetch(f"https://media.example:{server.port}/", folder, names)
        assert (folder / "source").read_bytes() == SOUND
        assert server.names == ["media.example"]
        assert server.requests[0].split("\r\n")[1] == f"Host: media.example:{server.port}"
        other = folder.parent / "other"
        assert "certificate" in failure(f"https://other.example:{server.port}/?secret", other, resolve=names)
        assert "certificate" in failure(f"https://127.0.0.1:{server.port}/?secret", other)
        assert len(server.requests) == 1


def test_https_of_an_address_is_verified_against_the_address(folder: Path, authority: trustme.CA) -> None:
    with source(answered(SOUND), context=tls(authority.issue_cert("127.0.0.1"))) as server:
        fetch(server.url, folder)
    assert (folder / "source").read_bytes() == SOUND


def test_certificate_of_an_untrusted_authority_is_refused(folder: Path) -> None:
    with source(answered(SOUND), context=tls(trustme.CA().issue_cert("127.0.0.1"))) as server:
        assert "certificate" in failure(server.url, folder)
        assert server.requests == []


def test_plain_answer_to_https_is_refused(folder: Path) -> None:
    with source(answered(SOUND)) as server:
        assert "TLS connection" in failure(server.url.replace("http:", "https:"), folder)


def test_silent_tls_server_times_out_and_can_be_aborted(folder: Path) -> None:
    with source(lambda path: dripping(b"", 5)) as server:  # never answers the TLS handshake
        began = time.monotonic()
        failure(server.url.replace("http:", "https:"), folder, window=0.4)
        assert time.monotonic() - began < promptly(10)


def test_download_over_tls_can_be_aborted(folder: Path, authority: trustme.CA) -> None:
    context = tls(authority.issue_cert("127.0.0.1"))
    with source(lambda path: dripping(answered(b"", length=10_000)), context=context) as server:
        assert "bytes in" in failure(server.url, folder, window=0.5)


@pytest.mark.usefixtures("authority")
def test_public_authorities_are_trusted_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert len(connection.create_ssl_context().get_ca_certs()) > 50
