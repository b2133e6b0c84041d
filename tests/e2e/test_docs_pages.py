"""The documentation pages work in a real browser without internet access."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.conftest import unavailable
from tests.service import SAMPLE, Service, until

WAIT = 120.0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        unavailable("Chromium is not installed (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.add_argument("--window-size=1300,1600")
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def severe(browser: webdriver.Chrome) -> list[str]:
    """List the browser's errors, except for ReDoc's logo, which the policy blocks."""
    complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [text for text in complaints if not ("/redoc/logo-mini" in text and "Content Security Policy" in text)]


def reached(browser: webdriver.Chrome) -> set[str]:
    """List the addresses requested and not blocked by the page's policy, except data: and chrome: URLs."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    events = [(message["method"], message["params"]) for message in messages]
    asked = {e["requestId"]: e["request"]["url"] for name, e in events if name == "Network.requestWillBeSent"}
    stopped = {
        e["requestId"] for name, e in events if name == "Network.loadingFailed" and e.get("blockedReason") == "csp"
    }
    urls = {str(url) for request, url in asked.items() if request not in stopped}
    return {url for url in urls if not url.startswith(("data:", "blob:", "chrome:"))}


def visible(
    browser: webdriver.Chrome, css: str, condition: Callable[[WebElement], Any] = lambda found: True
) -> WebElement:
    """Wait for the first visible element of ``css`` that meets ``condition``."""

    def look() -> WebElement | None:
        found = browser.find_elements(By.CSS_SELECTOR, css)
        return next((element for element in found if element.is_displayed() and condition(element)), None)

    element: WebElement = until(look, f"{css} shown", patience=WAIT)
    return element


def shown(browser: webdriver.Chrome, text: str) -> bool:
    return text in browser.find_element(By.TAG_NAME, "body").text.replace("\u200b", "")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_page_shows_every_operation_without_the_internet(
    service: Service, browser: webdriver.Chrome, page: str
) -> None:
    browser.get(service.url + page)
    for text in ("Speech API", "/transcription", "/task/{identifier}", "/health/ready"):
        until(lambda text=text: shown(browser, text), f"{text} shown on {page}", patience=WAIT)
    opener = ".opblock-post .opblock-summary-control" if page == "/docs" else "button"
    visible(browser, opener, lambda found: page == "/docs" or "Show" in found.text).click()
    for text in ("Transcribe a recording", "beam_size", "Beams in the search"):
        until(lambda text=text: shown(browser, text), f"{text} shown on {page}", patience=WAIT)
    assert severe(browser) == []
    asked = reached(browser)
    assert {url for url in asked if not url.startswith(f"{service.url}/")} == set()
    assert f"{service.url}/openapi.json" in asked


def test_recording_can_be_sent_from_the_page(service: Service, browser: webdriver.Chrome) -> None:
    browser.get(f"{service.url}/docs")
    visible(browser, ".opblock-post .opblock-summary-control").click()
    visible(browser, ".opblock-post .try-out__btn").click()
    visible(browser, ".opblock-post input[type=file]").send_keys(str(SAMPLE))
    visible(browser, ".opblock-post .execute").click()
    answer = visible(browser, ".opblock-post .live-responses-table .response", lambda found: "201" in found.text)
    identifier = json.loads(answer.text[answer.text.index("{") : answer.text.index("}") + 1])["identifier"]
    assert service.finished(identifier)["status"] == "COMPLETED"
    assert severe(browser) == []
    assert {url for url in reached(browser) if not url.startswith(f"{service.url}/")} == set()
