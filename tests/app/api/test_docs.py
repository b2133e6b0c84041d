"""The documentation pages load from this server only; tests/e2e/test_docs_pages.py opens them in a browser."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from flask import Flask

from app.api import docs
from app.facade import list_facades
from tests.app.posting import refused

PAGES = ["/docs", "/docs/", "/redoc", "/redoc/"]


def test_root_redirects_to_the_documentation(web: Flask) -> None:
    answer = web.test_client().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


@pytest.mark.parametrize("path", PAGES)
def test_documentation_page_loads_only_from_this_server(web: Flask, path: str) -> None:
    client = web.test_client()
    page = client.get(path)
    assert page.status_code == 200 and page.content_type.startswith("text/html")
    links = [link for link in re.findall(r'(?:src=|href=|from )"([^"]*)"', page.text) if not link.startswith("data:")]
    assert links and all(re.match(r"\.\.?/(docs/assets|openapi)/", link) for link in links)
    described = [link for link in links if "/openapi/" in link]
    assert path.strip("/") != "docs" or len(described) == len(list_facades(web))
    for link in described:
        assert client.get(urljoin(path, link)).get_json()["openapi"]
    for link in [
        link for link in links if link not in described
    ]:  # relative: they also hold behind a proxy that removes a prefix
        asset = client.get(urljoin(path, link))
        assert asset.status_code == 200 and len(asset.data) > 10_000
        assert asset.mimetype == ("text/css" if link.endswith("css") else "text/javascript")
        assert "max-age" in asset.headers["Cache-Control"]
    (document,) = re.findall(r'"([^"]*openapi.json)"', page.text)
    assert urljoin(f"http://proxy/speech{path}", document) == "http://proxy/speech/openapi.json"
    assert "http" not in re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL)


def test_redoc_telemetry_is_disabled(web: Flask) -> None:
    assert "disableTelemetry: true" in web.test_client().get("/redoc").text


@pytest.mark.parametrize("path", PAGES)
def test_documentation_policy_allows_only_this_server(web: Flask, path: str) -> None:
    policy = web.test_client().get(path).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "../docs.py", "%2e%2e/peewee.py", "..%2fpeewee.py", "/etc/passwd", "__init__.py", "py.typed", ""],
)
def test_only_the_bundles_are_served(web: Flask, name: str) -> None:
    refused(web.test_client().get(f"/docs/assets/{name}"), 404)


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install"):
        docs.bundles_folder()
