"""Finished tasks for the tests of the page of a task, and what that page shows."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests import recordings
from tests.browser import visible
from tests.console.looking import assert_clean, examine
from tests.service import Service, until

SPOKEN = "return [...(CSS.highlights.get('spoken') ?? [])].map(String).join('')"


def open_task(browser: webdriver.Chrome, service: Service, identifier: str) -> None:
    """Open the page of a task with a transcript, until its recording can be played."""
    browser.get(f"{service.url}/console/task/{identifier}")
    visible(browser, ".transcript li")
    visible(browser, ".play:not(:disabled)")


def examine_task(browser: webdriver.Chrome, service: Service, name: str, expected: str = "^$") -> None:
    """Like ``examine``, with the browser's complaints looked at before.

    axe writes a style into the waveform's shadow root, which the policy of the page refuses.
    """
    assert_clean(browser, service.url, expected)
    examine(browser, name)
    browser.get_log("browser")


def set_result(service: Service, identifier: str, segments: list[dict[str, Any]]) -> None:
    """Write another result into the database, as if the models had found it."""
    change(service, "UPDATE result SET result = ? WHERE task = ?", json.dumps(segments), identifier)


def change(service: Service, statement: str, *values: Any) -> None:
    """Run one statement in the database of a running service."""
    with sqlite3.connect(service.folder / "records.db", timeout=30) as database:
        database.execute(statement, values)
    database.close()


def position(browser: webdriver.Chrome) -> float:
    return float(browser.execute_script("return document.querySelector('video').currentTime"))


def spoken(browser: webdriver.Chrome) -> str:
    """The word that is coloured as spoken; empty between words."""
    return str(browser.execute_script(SPOKEN))


def paragraphs(browser: webdriver.Chrome) -> list[str]:
    """The texts of the rows."""
    texts: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('.transcript .said')].map((said) => said.textContent)"
    )
    return texts


def wait_for_announcement(browser: webdriver.Chrome, text: str) -> None:
    """Wait until the status line, which screen readers read, contains ``text``."""
    until(lambda: text in browser.find_element(By.CSS_SELECTOR, "[role=status]").text, f"{text!r} is said", 10)


def run_module(browser: webdriver.Chrome, name: str, code: str, *values: Any) -> Any:
    """Run ``code`` with the exports of one of the console's modules as ``given``; it may use ``values``."""
    return browser.execute_async_script(
        f"""
        const [values, done] = [[...arguments].slice(0, -1), arguments[arguments.length - 1]];
        const address = document.querySelector("script[type=module]").src.replace(/main\\.js$/, {json.dumps(name)});
        import(address).then(async (given) => {{ {code} }}).then(done, (error) => done(String(error)));
        """,
        *values,
    )


def repeat(path: Path, times: int, target: Path) -> Path:
    """Write a recording that repeats the sample at ``path``."""
    return recordings.wav(target, np.concatenate([recordings.speech(path)] * times))
