"""The documentation pages work in a real browser without internet access."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser import WAIT, list_errors, open_browser, reached, visible
from tests.service import SAMPLE, Service, until


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path) as opened:
        yield opened


def severe(browser: webdriver.Chrome) -> list[str]:
    """List the browser's errors, except for ReDoc's logo, which the policy blocks."""
    return [
        text for text in list_errors(browser) if not ("/redoc/logo-mini" in text and "Content Security Policy" in text)
    ]


def shown(browser: webdriver.Chrome, text: str) -> bool:
    """Whether the page has the text; ReDoc draws its later parts when the reader gets there."""
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
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
