"""The page of a separated recording."""

from __future__ import annotations

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser import visible
from tests.console.looking import assert_clean, press
from tests.console.transcripts import change, examine_task
from tests.service import MINI, Service, until

PLAYING = (
    "const found = [...document.querySelectorAll('video')]; return found.map((each) => [each.paused, each.currentTime])"
)


@pytest.fixture
def separated(service: Service) -> str:
    """A new separation of speech over music."""
    answer = service.post("/bgm-separation", MINI / "samples" / "conversation-over-music.ogg")
    identifier: str = answer.json()["identifier"]
    service.finished(identifier)
    return identifier


def test_solo_switches_at_once_and_at_the_same_position(
    service: Service, browser: webdriver.Chrome, separated: str
) -> None:
    browser.get(f"{service.url}/console/task/{separated}")
    visible(browser, ".lane-wave")
    assert [title.text for title in browser.find_elements(By.CSS_SELECTOR, ".lane-head strong")] == [
        "Original", "Music", "Voice",
    ]  # fmt: skip
    examine_task(browser, service, "stems")
    browser.execute_script("document.querySelector('.position').focus()")
    press(browser, " ")
    visible(browser, ".play[aria-label=Pause]")
    browser.execute_script(
        """
        const before = document.querySelector("video");
        window.switched = new Promise((done) => addEventListener("keydown", () => {
          const [time, start] = [before.currentTime, performance.now()];
          const look = () => {
            const now = document.querySelector("video");
            if (now === before || now.paused || now.seeking) return requestAnimationFrame(look);
            done([performance.now() - start, now.currentTime - time, before.paused]);
          };
          look();
        }, { once: true }));
        """
    )
    press(browser, "2")
    took, moved, was_paused = browser.execute_async_script("window.switched.then(arguments[0])")
    assert was_paused
    assert abs(moved) < 0.1 + took / 1000
    assert took < 300  # the promise is 100 ms; the machine of the tests is shared
    assert browser.find_element(By.CSS_SELECTOR, ".lane-head [aria-pressed=true]").text.startswith("Hear")
    press(browser, " ")
    until(lambda: browser.execute_script("return document.querySelector('video').paused"), "the keys still work")
    assert_clean(browser, service.url)


def test_purged_stems_say_when_they_were_removed(service: Service, browser: webdriver.Chrome, separated: str) -> None:
    change(service, "UPDATE task SET files_purged_at = 1.0 WHERE uuid = ?", separated)
    shutil.rmtree(service.cache / separated)
    browser.get(f"{service.url}/console/task/{separated}")
    visible(browser, ".notice", lambda found: "The files were removed" in found.text)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".lanes.gone li")) == 3
    examine_task(browser, service, "stems-gone")
    assert_clean(browser, service.url)
