"""A headless Chromium that reaches nothing but this machine, and what tests ask about a page in it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.conftest import unavailable
from tests.service import until

WAIT = 120.0
FLAGS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-background-networking",
    "disable-dev-shm-usage",
    "autoplay-policy=no-user-gesture-required",
    "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "window-size=1300,1600",
)


@contextlib.contextmanager
def open_browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium with a new profile in ``folder``; the test is skipped where there is none."""
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        unavailable("Chromium is not installed (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def list_errors(browser: webdriver.Chrome) -> list[str]:
    """List the severe lines of the browser's log since the last call, refused content among them."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


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
