"""The page of a transcript, on the real service: hear, follow, find, go by keys."""

from __future__ import annotations

from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser import visible
from tests.console.looking import assert_clean, emulate, press
from tests.console.transcripts import (
    examine_task,
    open_task,
    paragraphs,
    position,
    run_module,
    spoken,
    wait_for_announcement,
)
from tests.service import MINI, Service, until

VOICES = MINI / "samples" / "voices2.ogg"
PRECISE = 0.05  # seconds


@pytest.fixture(scope="module")
def task(service: Service) -> dict[str, Any]:
    """A finished transcript of two voices."""
    return service.finished(service.submit(VOICES, is_diarize=True, lang="en"))


def words_of(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [word for segment in task["result"] for word in segment["words"]]


def test_clicked_word_is_played_and_the_spoken_one_coloured(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    open_task(browser, service, task["identifier"])
    words = words_of(task)
    shown = browser.find_elements(By.CSS_SELECTOR, ".said span")
    assert [span.text for span in shown] == [word["word"].strip() for word in words]
    for place in range(0, len(words), max(1, len(words) // 20)):
        browser.execute_script("arguments[0].click()", shown[place])
        assert abs(position(browser) - words[place]["start"]) <= PRECISE
        word = words[place]["word"].strip()
        until(lambda: spoken(browser) == word, f"{word} is coloured", 5)  # noqa: B023
    browser.execute_script("arguments[0].click()", shown[0])
    visible(browser, ".play").click()
    for _ in range(20):
        now, word = browser.execute_script(
            "return new Promise((done) => setTimeout(() => done([document.querySelector('video').currentTime,"
            "[...(CSS.highlights.get('spoken') ?? [])].map(String).join('')]), 97))"
        )
        # the colour is drawn once a frame: it may be that of a moment before
        expected = {
            next((word["word"].strip() for word in words if word["start"] <= time < word["end"]), "")
            for time in (now, now - PRECISE)
        }
        assert word in expected
    assert now > words[0]["start"] + 0.5, "it plays"
    assert_clean(browser, service.url)


def test_page_of_a_transcript_passes_the_checks(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    open_task(browser, service, task["identifier"])
    assert browser.title == f"{VOICES.name} · Speech"
    visible(browser, ".wave")
    assert browser.find_element(By.CSS_SELECTOR, ".said").get_attribute("lang") == "en"
    examine_task(browser, service, "transcript")


def test_downloads_lie_above_the_player(service: Service, browser: webdriver.Chrome, task: dict[str, Any]) -> None:
    open_task(browser, service, task["identifier"])
    visible(browser, ".task-head .menu button").click()
    visible(browser, ".menu-list a")
    covered = browser.execute_script(
        """
        return [...document.querySelectorAll(".menu-list a")].filter((link) => {
          const { left, top, width, height } = link.getBoundingClientRect();
          return !link.contains(document.elementFromPoint(left + width / 2, top + height / 2));
        }).map((link) => link.textContent);
        """
    )
    assert covered == []


def test_hits_are_counted_coloured_and_gone_through(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    open_task(browser, service, task["identifier"])
    word = words_of(task)[0]["word"].strip()
    count = " ".join(paragraphs(browser)).lower().count(word.lower())
    field = visible(browser, ".find-field")
    field.send_keys(word.upper())
    assert visible(browser, ".find .count").text == f"1 of {count}"
    hits = "return [...CSS.highlights.get('found')].map((range) => range.toString().toLowerCase())"
    assert browser.execute_script(hits) == [word.lower()] * count
    field.send_keys(Keys.SHIFT, Keys.ENTER)
    assert visible(browser, ".find .count").text == f"{count} of {count}"
    visible(browser, ".find-field").clear()


def test_unsure_words_are_few_and_reached_by_key(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    open_task(browser, service, task["identifier"])
    words = [{"node": place, "probability": p} for place, p in enumerate([0.9, 0.1, None, 0.3, 0.34] + [0.95] * 35)]
    chosen = run_module(
        browser,
        "task/unsure.js",
        "return given.chooseUnsure(values[0], given.LEVELS.few).map((word) => word.node);",
        words,
    )
    assert chosen == [1, 3]  # 5 % of 40 words, the least sure ones
    Select(visible(browser, ".unsure select")).select_by_visible_text("more")
    marked = [mark.text for mark in browser.find_elements(By.CSS_SELECTOR, ".said mark")]
    assert visible(browser, ".unsure .count").text == str(len(marked))
    browser.execute_script("document.querySelector('.transcript li').focus()")
    press(browser, "u")
    if marked:
        until(lambda: spoken(browser) == marked[0], "the player goes there")
        wait_for_announcement(browser, marked[0])


def test_following_stops_when_the_user_scrolls(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    emulate(browser, motion="reduce")
    open_task(browser, service, task["identifier"])
    visible(browser, ".play").click()
    assert visible(browser, ".follow input").is_selected()
    browser.execute_script("dispatchEvent(new WheelEvent('wheel', { deltaY: 40 }))")
    until(lambda: not visible(browser, ".follow input").is_selected(), "it no longer follows", 5)
    visible(browser, ".play").click()
