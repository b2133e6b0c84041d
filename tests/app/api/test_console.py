"""The console's page: what it may do, its files, and the cookie in place of an API key."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.assets import STATIC
from app.core.db import api_keys, connection
from app.core.db.connection import now
from app.core.db.sessions import Session
from tests.app.calling import make_key
from tests.app.conftest import MakeWeb
from tests.app.posting import refused

VENDOR = STATIC / "vendor"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ADDRESSES = ["/console", "/console/", "/console/task/86bf091c-17e9-4293-9839-95f53f70653e", "/console/task/x/"]


def read_policy(page: TestResponse) -> dict[str, list[str]]:
    directives = [part.split() for part in page.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in directives}


def read_imports(page: TestResponse) -> dict[str, str]:
    (text,) = re.findall(r'<script type="importmap" nonce="[^"]+">(.*?)</script>', page.text)
    imports: dict[str, str] = json.loads(text)["imports"]
    return imports


@pytest.mark.parametrize("address", ADDRESSES)
def test_console_loads_only_from_this_server(web: Flask, address: str) -> None:
    page = web.test_client().get(address)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href|data-root)="([^"]*)"', page.text.replace('href="data:,"', ""))
    links += read_imports(page).values()
    assert len(links) > 6 and all(link.startswith(("./", "../")) for link in links)
    for prefix in ("http://speech.example", "http://proxy.example/below"):
        addresses = {urljoin(prefix + address, link) for link in links}
        assert all(each.startswith(f"{prefix}/") for each in addresses)
        assert f"{prefix}/" in addresses, "data-root leads to the service"


def test_libraries_of_the_import_map_are_served_for_good(web: Flask) -> None:
    client = web.test_client()
    for name, link in read_imports(client.get("/console")).items():
        answer = client.get(urljoin("/console", link))
        assert answer.status_code == 200 and answer.mimetype == "text/javascript", name
        assert {"public", "immutable", "max-age=31536000"} == set(answer.headers["Cache-Control"].split(", "))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_files_of_the_page_are_compressed_for_clients_that_accept_it(web: Flask) -> None:
    client = web.test_client()
    link = urljoin("/console", read_imports(client.get("/console"))["wavesurfer.js"])
    for accept in ("", "identity", "br", "gzip;q=0"):
        plain = client.get(link, headers={"Accept-Encoding": accept})
        assert "Content-Encoding" not in plain.headers and plain.data == (VENDOR / "wavesurfer.esm.js").read_bytes()
    for accept in ("gzip", "gzip, deflate, br, zstd", "*"):
        packed = client.get(link, headers={"Accept-Encoding": accept})
        assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 3 and packed.mimetype == plain.mimetype
        for answer in (plain, packed):
            assert "Accept-Encoding" in answer.headers["Vary"]
            assert {"public", "immutable", "max-age=31536000"} == set(answer.headers["Cache-Control"].split(", "))


@pytest.mark.parametrize(
    "name",
    [
        "vendor/package.json",
        "vendor/preact.LICENSE",
        "../assets.py",
        "..%2fassets.py",
        "vendor/",
        "vendor/../../auth.py",
    ],
)
def test_only_files_of_the_page_are_served(web: Flask, name: str) -> None:
    client = web.test_client()
    (link, *_) = read_imports(client.get("/console")).values()
    refused(client.get(f"{urljoin('/console', link).partition('/vendor/')[0]}/{name}"), 404)


def test_files_of_another_version_are_not_served(web: Flask) -> None:
    refused(web.test_client().get("/console/assets/0123456789abcdef/vendor/preact.mjs"), 404)


def test_policy_runs_only_scripts_of_the_service(web: Flask) -> None:
    client = web.test_client()
    first, second = client.get("/console"), client.get("/console")
    policy = read_policy(first)
    (nonce,) = re.findall(r'nonce="([^"]+)"', first.text)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'", f"'nonce-{nonce}'"]
    assert policy["connect-src"] == ["'self'"] and policy["media-src"] == ["'self'", "blob:"]
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in first.headers["Content-Security-Policy"]
    assert read_policy(second)["script-src"] != policy["script-src"], "a nonce is used once"
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("accept", "leads_to"), [(BROWSER, "/console"), ("*/*", "/docs"), ("application/json", "/docs"), ("", "/docs")]
)
def test_browsers_are_sent_to_the_console(web: Flask, accept: str, leads_to: str) -> None:
    answer = web.test_client().get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Location"]) == (302, leads_to)
    assert "Accept" in answer.headers["Vary"]


def test_disabled_console_is_not_there(make_web: MakeWeb) -> None:
    client = make_web(console={"enabled": False}).test_client()
    assert client.get("/", headers={"Accept": BROWSER}).headers["Location"] == "/docs"
    for address in ("/console", "/console/task/x"):
        refused(client.get(address), 404)
    refused(client.post("/console/session", json={"key": "x"}), 404)


def test_page_says_whether_a_key_is_needed(web: Flask) -> None:
    client = web.test_client()
    assert 'data-open="true"' in client.get("/console").text
    make_key()
    assert 'data-open="false"' in client.get("/console").text


def test_cookie_replaces_the_key(web: Flask) -> None:
    key, client, other = make_key(), web.test_client(), web.test_client()
    refused(client.get("/task"), 401)
    answer = client.post("/console/session", json={"key": f" {key} "})
    assert (answer.status_code, answer.data) == (204, b"")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert key not in cookie and "Secure" not in cookie
    assert client.get("/task").status_code == 200
    refused(other.get("/task"), 401)
    client.delete("/console/session")
    refused(client.get("/task"), 401)
    other.set_cookie("speech_session", cookie.partition("=")[2].partition(";")[0])
    refused(other.get("/task"), 401)


def test_cookie_is_secure_over_https(web: Flask) -> None:
    answer = web.test_client().post("/console/session", json={"key": make_key()}, base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_session_sees_only_the_tasks_of_its_key(web: Flask) -> None:
    client = web.test_client()
    client.post("/console/session", json={"key": make_key("alice")})
    bob = {"Authorization": f"Bearer {make_key('bob')}"}
    answer = web.test_client().post("/vad?file_url=https://93.184.215.14/a.wav", headers=bob)
    assert answer.status_code == 201
    assert client.get("/task").get_json()["tasks"] == []
    refused(client.get(answer.headers["Location"]), 404)


@pytest.mark.parametrize("again", [False, True])
def test_session_ends_with_its_key(web: Flask, again: bool) -> None:
    client = web.test_client()
    client.post("/console/session", json={"key": make_key("alice")})
    with connection.database.connection_context():
        api_keys.revoke("alice")
        if again:
            make_key("alice")
    refused(client.get("/task"), 401)


def test_session_expires(web: Flask) -> None:
    client = web.test_client()
    client.post("/console/session", json={"key": make_key()})
    with connection.database.connection_context():
        Session.update(expires_at=now()).execute()
    refused(client.get("/task"), 401)
    client.post("/console/session", json={"key": make_key("bob")})
    with connection.database.connection_context():
        assert Session.select().count() == 1, "expired ones are removed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "speech_wrong"}, 401),
        ({"key": ""}, 401),
        ({"key": "a\0b"}, 401),
        ({"key": 5}, 422),
        ({}, 422),
        ([], 422),
        ({"key": "x", "name": "y"}, 422),
    ],
)
def test_wrong_key_gets_no_cookie(web: Flask, body: Any, status: int) -> None:
    make_key()
    answer = web.test_client().post("/console/session", json=body)
    refused(answer, status)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_cannot_use_the_session(web: Flask, site: str) -> None:
    client = web.test_client()
    client.post("/console/session", json={"key": make_key()})
    refused(client.post("/vad?file_url=https://93.184.215.14/a.wav", headers={"Sec-Fetch-Site": site}), 403)
    refused(client.post("/console/session", json={"key": "x"}, headers={"Sec-Fetch-Site": site}), 403)
