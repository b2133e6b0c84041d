"""The keyboard of a transcript."""

from __future__ import annotations

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import visible
from tests.console.looking import focused, press
from tests.console.transcripts import open_task, paragraphs, position
from tests.service import MINI, Service, until

PRECISE = 0.05  # seconds


def press_shifted(browser: webdriver.Chrome, key: str) -> None:
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()


def test_every_key_of_the_transcript_does_what_help_says(service: Service, browser: webdriver.Chrome) -> None:
    task = service.finished(service.submit(MINI / "samples" / "voices2.ogg", lang="en"))
    open_task(browser, service, task["identifier"])
    words = [word for segment in task["result"] for word in segment["words"]]
    browser.execute_script("document.querySelector('.transcript li').focus()")

    def row() -> int:
        return int(
            browser.execute_script(
                "return [...document.querySelectorAll('.transcript li')].indexOf(document.activeElement)"
            )
        )

    press(browser, Keys.ARROW_RIGHT)
    assert position(browser) == pytest.approx(3, abs=PRECISE)
    press(browser, Keys.ARROW_LEFT)
    assert position(browser) == pytest.approx(0, abs=PRECISE)
    press_shifted(browser, Keys.ARROW_RIGHT)
    assert position(browser) == pytest.approx(words[0]["start"], abs=PRECISE)
    press_shifted(browser, Keys.ARROW_RIGHT)
    assert position(browser) == pytest.approx(words[1]["start"], abs=PRECISE)
    press_shifted(browser, Keys.ARROW_LEFT)
    assert position(browser) == pytest.approx(words[0]["start"], abs=PRECISE)
    press(browser, Keys.HOME)
    assert (row(), position(browser)) == (0, 0)
    press(browser, Keys.ARROW_DOWN)
    assert row() == 1
    press(browser, Keys.ENTER)
    until(lambda: position(browser) > 0.3, "it plays from the second row")
    press(browser, " ")
    assert browser.execute_script("return document.querySelector('video').paused")
    press(browser, Keys.ARROW_UP)
    assert row() == 0
    for key, speed in (("[", 0.75), ("]", 1), ("]", 1.25), ("0", 1)):
        press(browser, key)
        assert browser.execute_script("return document.querySelector('video').playbackRate") == speed
    press(browser, "f")
    assert not visible(browser, ".follow input").is_selected()
    press(browser, "f")
    press(browser, Keys.END)
    assert row() == len(paragraphs(browser)) - 1
    press(browser, "?")
    visible(browser, "dialog")
    press(browser, Keys.ESCAPE)
    until(lambda: not browser.find_elements(By.CSS_SELECTOR, "dialog[open]"), "the help is closed")
    press(browser, "/")
    assert focused(browser).get_attribute("class") == "find-field"
    press(browser, "f", "0")  # typed, not obeyed
    assert focused(browser).get_attribute("value") == "f0"
    press(browser, Keys.ESCAPE)
    assert row() >= 0
