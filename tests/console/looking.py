"""Look at a page of the console: screenshots, dark and narrow, complaints of the browser and of axe."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from tests.browser import list_errors, reached

HERE = Path(__file__).parent
SCREENSHOTS = HERE / "screenshots"  # git ignores it
DESKTOP, PHONE = 1300, 320
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def emulate(browser: webdriver.Chrome, scheme: str = "light", motion: str = "no-preference") -> None:
    """Set what the system prefers: ``light`` or ``dark``, motion ``no-preference`` or ``reduce``."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": motion},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def resize(browser: webdriver.Chrome, width: int, height: int = 1000) -> None:
    """Make the page ``width`` CSS pixels wide; no window of a desktop is as narrow as a phone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})  # as on phones: they take no width


def photograph(browser: webdriver.Chrome, name: str) -> Path:
    """Write a screenshot of the whole page."""
    SCREENSHOTS.mkdir(exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
    path.write_bytes(base64.b64decode(shot["data"]))
    return path


def examine(browser: webdriver.Chrome, name: str) -> None:
    """Check the page light and dark, wide and narrow, and keep a screenshot of each.

    axe finds nothing, and no width needs scrolling sideways.
    """
    for scheme in ("light", "dark"):
        emulate(browser, scheme)
        for width in (DESKTOP, PHONE):
            resize(browser, width)
            photograph(browser, f"{name}-{scheme}-{width}")
            assert find_overflow(browser) == [], f"{name} at {width} px"
        assert run_axe(browser) == [], f"{name}, {scheme}"
    emulate(browser)
    resize(browser, DESKTOP)


def find_overflow(browser: webdriver.Chrome) -> list[str]:
    """List the elements that reach beyond the right edge of the page, if it can be scrolled sideways."""
    found: list[str] = browser.execute_script(
        """
        const page = document.documentElement;
        if (page.scrollWidth <= page.clientWidth) return [];
        return [...document.querySelectorAll("body *")]
          .filter((each) => each.getBoundingClientRect().right > page.clientWidth + 1)
          .map((each) => `${each.tagName} ${each.className}: ${each.textContent.slice(0, 60)}`);
        """
    )
    return found


@cache
def _read_axe() -> str:
    return (HERE / "axe" / "axe.min.js").read_text()


def run_axe(browser: webdriver.Chrome) -> list[str]:
    """List axe's violations of WCAG 2.2 A and AA: the rule and the element."""
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_script(_read_axe())
    found: list[dict[str, Any]] = browser.execute_async_script(
        """
        const [standards, done] = arguments;
        axe.run(document, { runOnly: standards }).then(({ violations }) => done(violations), (error) => done([
          { id: String(error), nodes: [] }]));
        """,
        STANDARDS,
    )
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for rule in found
        for node in rule["nodes"] or [{"html": "", "failureSummary": ""}]
    ]


def assert_clean(browser: webdriver.Chrome, url: str, expected: str = "^$") -> None:
    """The browser complains of nothing but ``expected``, and has asked nothing but the service at ``url``."""
    assert [line for line in list_errors(browser) if not re.search(expected, line)] == []
    assert {each for each in reached(browser) if not each.startswith(f"{url}/")} == set()


def press(browser: webdriver.Chrome, *keys: str) -> None:
    """Press keys where the focus is."""
    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: webdriver.Chrome) -> Any:
    return browser.switch_to.active_element


def drop_files(browser: webdriver.Chrome, target: str, *files: tuple[str, bytes]) -> None:
    """Drop files, as name and content, on the element of the CSS selector ``target``: a real ``drop`` event."""
    browser.execute_script(
        """
        const [target, files] = arguments;
        const transfer = new DataTransfer();
        for (const [name, content] of files) {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          transfer.items.add(new File([bytes], name));
        }
        const element = document.querySelector(target);
        for (const type of ["dragenter", "dragover", "drop"]) {
          element.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }
        """,
        target,
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )


def text_of(browser: webdriver.Chrome, css: str = "body") -> str:
    return browser.find_element(By.CSS_SELECTOR, css).text
