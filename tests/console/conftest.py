"""A browser for the tests of the console: one Chromium for all, as new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.browser import open_browser
from tests.console.looking import DESKTOP, emulate, resize


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> webdriver.Chrome:
    """Chromium without history: no cookies, nothing remembered, a light desktop screen, empty logs."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    emulate(chromium)
    resize(chromium, DESKTOP)
    for log in ("browser", "performance"):
        chromium.get_log(log)
    return chromium
