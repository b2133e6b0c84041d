"""The nginx example in front of the real service: uploads stream through, errors are JSON."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from app.core.settings import Limits, Server
from tests.deploy.conftest import tool
from tests.service import ROOT, SAMPLE, Service, free_port, until, write_config

EXAMPLE = ROOT / "deploy" / "nginx.conf"
LIMIT = 2  # MB


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("proxied"))
    service.start_web()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def proxy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_nginx(service, tmp_path_factory.mktemp("nginx"), {}) as url:
        yield url


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service under /speech/, set up as the comment in the example says; it queues one task."""
    folder = tmp_path_factory.mktemp("prefixed")
    config = write_config(folder, server={"trusted_proxies": 1}, limits={"max_queued": 1})
    service = Service(folder, config=config)
    service.start_web()
    changes = {
        "location / {": "location /speech/ {",
        "proxy_pass http://speech;": "proxy_pass http://speech/;",
        'X-Forwarded-Prefix "";': "X-Forwarded-Prefix /speech;",
    }
    with running_nginx(service, tmp_path_factory.mktemp("nginx"), changes) as url:
        yield f"{url}/speech/"
    service.stop()


@contextlib.contextmanager
def running_nginx(service: Service, folder: Path, changes: dict[str, str]) -> Iterator[str]:
    """Run nginx with the example and ``changes`` on a free port, with a smaller limit; yield its URL."""
    nginx, port = tool("nginx", "Debian: nginx-light"), free_port()
    changes |= {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "127.0.0.1:8000": f"127.0.0.1:{service.port}",
        "4097m": f"{LIMIT}m",
    }
    text = EXAMPLE.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "speech.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/speech.conf; }}\n"
    )
    command = [nginx, "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    running = subprocess.Popen(command)
    try:
        until(lambda: connects(port), "nginx listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_proxy_passes_an_upload(proxy: str) -> None:
    answer = requests.post(f"{proxy}/transcription", files={"file": ("a.flac", SAMPLE.read_bytes())}, timeout=60)
    assert answer.status_code == 201, answer.text
    assert requests.get(f"{proxy}{answer.headers['Location']}", timeout=30).json()["status"] == "QUEUED"


def test_an_upload_reaches_the_service_while_it_is_sent(proxy: str, service: Service) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(1_000_000)
    end = b"\r\n--x--\r\n"
    port = int(proxy.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        head = (
            "POST /transcription HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(form + end)}\r\n\r\n"
        )
        client.sendall(head.encode() + form)
        until(lambda: written(service.cache) > 500_000, "most of the recording is in the cache")
        client.sendall(end)
        assert client.recv(12).endswith(b"201")


def written(cache: Path) -> int:
    """Size in bytes of the largest file being written."""
    return max(
        (file.stat().st_size for file in cache.rglob("*") if file.is_file() and file.name != "source"), default=0
    )


def test_uploads_over_the_limit_of_nginx_get_a_json_error(proxy: str) -> None:
    answer = requests.post(f"{proxy}/transcription", files={"file": ("a", bytes(LIMIT * 1024 * 1024))}, timeout=60)
    assert answer.status_code == 413 and answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "code": 413,
        "status": "Request Entity Too Large",
        "message": "The recording is too large.",
    }


def test_errors_of_the_service_pass_unchanged(proxy: str, service: Service) -> None:
    assert (
        requests.get(f"{proxy}/task/x", timeout=30).json() == requests.get(f"{service.url}/task/x", timeout=30).json()
    )


def test_pages_work_under_a_prefix(prefixed: str) -> None:
    for page in ("docs", "docs/", "redoc", ""):
        answer = requests.get(urljoin(prefixed, page), timeout=30)
        assert answer.status_code == 200 and answer.url.startswith(prefixed)
        links = re.findall(r'"([^":,]*(?:\.js|\.css|\.json))"', answer.text)
        assert len(links) >= 2
        for link in links:
            found = requests.get(urljoin(answer.url, link), timeout=30)
            assert found.status_code == 200 and found.url.startswith(prefixed), link
    document = requests.get(urljoin(prefixed, "openapi.json"), timeout=30).json()
    assert [urljoin(prefixed, server["url"]) for server in document["servers"]] == [prefixed.rstrip("/")]


def test_location_of_a_task_works_under_a_prefix(prefixed: str) -> None:
    url = urljoin(prefixed, "transcription")
    origin = {"Origin": prefixed.removesuffix("/speech/")}
    answer = requests.post(url, files={"file": ("a.flac", SAMPLE.read_bytes())}, headers=origin, timeout=60)
    assert answer.status_code == 201, answer.text
    assert requests.get(urljoin(url, answer.headers["Location"]), timeout=30).json()["status"] == "QUEUED"
    # The queue is full now; nginx passes on the error, which is sent before the body is read.
    answer = requests.post(url, files={"file": ("a.flac", bytes(1_500_000))}, timeout=60)
    assert answer.status_code == 429 and "queue is full" in answer.json()["message"]


def test_forwarded_headers_of_the_client_are_ignored(prefixed: str) -> None:
    forged = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    answer = requests.get(prefixed, headers=forged, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/speech/docs")


def test_the_example_allows_the_largest_upload_of_the_service() -> None:
    (size,) = re.findall(r"client_max_body_size (\d+)m;", EXAMPLE.read_text())
    assert int(size) == Limits().max_upload_mb + 1
    assert f"server {Server().host}:{Server().port};" in EXAMPLE.read_text()


def test_stopped_service_gives_a_json_error(proxy: str, service: Service) -> None:
    """Last in this module, as it stops the service."""
    service.stop()
    answer = requests.get(f"{proxy}/task/x", timeout=30)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
    assert answer.json().keys() == {"code", "status", "message"}
