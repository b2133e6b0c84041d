"""Pages of other sites cannot read or change anything through a browser; other clients are not restricted."""

from __future__ import annotations

import socket

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.app.conftest import MakeWeb
from tests.app.posting import refused

PAGE = "https://page.example"


def get(web: Flask, host: str, path: str = "/health/live") -> TestResponse:
    return web.test_client().get(path, headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "speech.localhost",
        "127.0.0.1:8000",
        "[::1]:8000",
        "192.168.7.9",
        "10.0.0.1:80",
        "web:8000",
        "gpu_box-2",
    ],
)
def test_names_without_a_dot_and_every_address_are_served(web: Flask, host: str) -> None:
    assert get(web, host).status_code == 200


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::"])
def test_this_machines_name_is_served(make_web: MakeWeb, bound: str) -> None:
    web = make_web(server={"host": bound})
    assert get(web, f"{socket.gethostname()}:8000").status_code == 200
    assert get(web, f"{socket.gethostname()}.local").status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/docs", "/task", "/nothing", "/"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "::1]", "a/b"])
def test_unknown_host_is_400_and_names_the_setting(web: Flask, host: str, path: str) -> None:
    assert "server.allowed_hosts" in refused(get(web, host, path), 400)["message"]


def test_long_host_is_shortened_in_the_error(web: Flask) -> None:
    assert len(refused(get(web, "e" * 5000), 400)["message"]) < 400


def test_listed_names_are_served(make_web: MakeWeb) -> None:
    web = make_web(server={"allowed_hosts": ("speech.example.org", ".lab")})
    assert get(web, "Speech.example.org:443").status_code == get(web, "gpu.lab").status_code == 200
    assert get(web, "localhost").status_code == 200
    refused(get(web, "x.speech.example.org"), 400)


def test_star_serves_every_name(make_web: MakeWeb) -> None:
    assert get(make_web(server={"allowed_hosts": ("*",)}), "evil.example").status_code == 200


def test_request_without_host_is_served(web: Flask) -> None:
    assert web.test_client().get("/health/live", environ_overrides={"HTTP_HOST": ""}).status_code == 200


def post(web: Flask, method: str = "POST", host: str = "localhost:8000", **headers: str) -> TestResponse:
    """A request that an open service answers with 404."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.test_client().open("/task/x/cancel", method=method, headers={"Host": host} | named)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": PAGE},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:8000"},
    ],
    ids=str,
)
def test_change_from_a_page_of_another_site_is_403(web: Flask, headers: dict[str, str]) -> None:
    for method in ("POST", "DELETE", "PUT", "PATCH"):
        assert "server.cors_origins" in refused(post(web, method, **headers), 403)["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000"},
        {"Origin": "https://localhost:8000"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://behind.a.proxy"},
        {"Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
def test_change_from_curl_or_a_page_of_this_server_is_served(web: Flask, headers: dict[str, str]) -> None:
    refused(post(web, **headers), 404)


def test_forwarded_host_counts_behind_a_trusted_proxy(make_web: MakeWeb) -> None:
    web = make_web(server={"trusted_proxies": 1, "allowed_hosts": ("speech.example.org",)})
    public = {"X_Forwarded_Host": "speech.example.org", "Origin": "https://speech.example.org"}
    refused(post(web, host="10.0.0.5:8000", **public), 404)
    refused(post(web, host="10.0.0.5:8000", **(public | {"Origin": PAGE})), 403)


def test_forwarded_host_is_ignored_without_a_trusted_proxy(web: Flask) -> None:
    answer = post(web, X_Forwarded_Host="page.example", Origin=PAGE)
    refused(answer, 403)


def test_page_of_another_site_gets_no_read_permission(web: Flask) -> None:
    answer = web.test_client().get("/health/live", headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_listed_page_may_read_and_change(make_web: MakeWeb) -> None:
    web = make_web(server={"cors_origins": (PAGE,)})
    read = web.test_client().get("/health/live", headers={"Origin": PAGE})
    changed = post(web, Origin=PAGE, Sec_Fetch_Site="cross-site")
    assert (read.status_code, changed.status_code) == (200, 404)
    for answer in (read, changed):
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
    refused(post(web, Origin="https://other.example"), 403)


def test_preflight_of_a_listed_page_is_answered(make_web: MakeWeb) -> None:
    web = make_web(server={"cors_origins": (PAGE,)})
    asked = {"Access_Control_Request_Method": "DELETE", "Access_Control_Request_Headers": "idempotency-key"}
    answer = post(web, "OPTIONS", Origin=PAGE, **asked)
    assert answer.status_code == 204 and answer.data == b""
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "idempotency-key"
    other = post(web, "OPTIONS", Origin="https://other.example", **asked)
    assert "Access-Control-Allow-Origin" not in other.headers and "Access-Control-Allow-Methods" not in other.headers
