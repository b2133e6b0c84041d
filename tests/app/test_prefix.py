"""Addresses in answers begin with the prefix of a trusted proxy."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.app.conftest import MakeWeb
from tests.app.posting import post, submitted

PREFIX = {"X-Forwarded-Prefix": "/speech"}


@pytest.fixture
def proxied(make_web: MakeWeb) -> Flask:
    return make_web(server={"trusted_proxies": 1})


def test_next_page_of_the_list_has_the_prefix(proxied: Flask) -> None:
    submitted(proxied)
    submitted(proxied)
    client = proxied.test_client()
    following = client.get("/task?limit=1", headers=PREFIX).get_json()["next"]
    assert following.startswith("/speech/task?limit=1&cursor=")
    assert client.get(following.removeprefix("/speech")).get_json()["next"] is None


def test_redirect_to_the_documentation_has_the_prefix(proxied: Flask) -> None:
    assert proxied.test_client().get("/", headers=PREFIX).headers["Location"] == "/speech/docs"


def test_prefix_is_ignored_without_a_trusted_proxy(web: Flask) -> None:
    assert web.test_client().get("/", headers=PREFIX).headers["Location"] == "/docs"
    assert post(web).headers["Location"].startswith("/task/")
