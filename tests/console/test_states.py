"""The first page while the service is empty, without workers, stopped, or asks for a key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import visible
from tests.console.looking import assert_clean, examine, focused, text_of
from tests.service import ROOT, SAMPLE, Service, until


@pytest.fixture
def web_alone(tmp_path: Path) -> Iterator[Service]:
    """The web process without a worker: recordings wait."""
    service = Service(tmp_path)
    try:
        service.start_web()
        yield service
    finally:
        service.stop()


def test_page_is_understood_empty_waiting_stopped_and_started_again(
    web_alone: Service, browser: webdriver.Chrome
) -> None:
    browser.get(f"{web_alone.url}/console")
    visible(browser, ".empty", lambda found: "Nothing here yet" in found.text)
    visible(browser, ".options")
    assert browser.title == "Recordings · Speech"
    examine(browser, "home-empty")
    browser.find_element(By.ID, "files").send_keys(str(SAMPLE))
    visible(browser, ".start button").click()
    visible(browser, ".row", lambda found: "Waiting, 1st in the queue" in found.text)
    visible(browser, ".banner", lambda found: "Recordings have to wait" in found.text)
    assert browser.title == "1 running · Recordings · Speech"
    examine(browser, "home-waiting")
    assert_clean(browser, web_alone.url, "503")
    web_alone.stop()
    visible(browser, ".banner", lambda found: "does not answer" in found.text)
    assert SAMPLE.name in text_of(browser, ".rows")  # what was known stays
    examine(browser, "home-silent")
    web_alone.start_web()
    visible(browser, ".banner", lambda found: "does not answer" not in found.text)
    assert "Waiting" in text_of(browser, ".rows")


def test_help_opens_closes_and_gives_the_focus_back(web_alone: Service, browser: webdriver.Chrome) -> None:
    browser.get(f"{web_alone.url}/console")
    visible(browser, ".header .round").click()
    visible(browser, "dialog", lambda found: "Keys in a transcript" in found.text)
    examine(browser, "help")
    visible(browser, "dialog .buttons button").click()
    until(lambda: not browser.find_elements(By.TAG_NAME, "dialog"), "the help is closed")
    assert focused(browser).text == "?"


def test_server_with_keys_asks_for_one_and_then_shows_the_page(web_alone: Service, browser: webdriver.Chrome) -> None:
    command = [sys.executable, "-m", "app.keys", "create", "lab"]
    made = subprocess.run(command, cwd=ROOT, env=web_alone.environment, capture_output=True, text=True, check=True)
    browser.get(f"{web_alone.url}/console")
    visible(browser, "input[type=password]").send_keys("wrong", Keys.ENTER)
    visible(browser, "#key-problem", lambda found: "not valid" in found.text)
    examine(browser, "key")
    assert focused(browser).get_attribute("type") == "password"
    focused(browser).send_keys(Keys.CONTROL, "a", Keys.NULL)
    focused(browser).send_keys(made.stdout.strip(), Keys.ENTER)
    visible(browser, ".empty")
    visible(browser, ".options")
    assert "Everybody who reaches this server" not in text_of(browser)
    browser.refresh()
    visible(browser, ".empty")  # the cookie holds
    assert_clean(browser, web_alone.url, "401")


def test_sample_is_offered_to_try_the_page(web_alone: Service, browser: webdriver.Chrome) -> None:
    browser.get(f"{web_alone.url}/console")
    visible(browser, ".drop button", lambda found: "sample" in found.text).click()
    visible(browser, ".uploads", lambda found: "sample conversation.flac" in found.text)
    assert_clean(browser, web_alone.url)
