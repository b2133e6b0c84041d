"""Correct a transcript on its page."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import visible
from tests.console.looking import assert_clean, focused, press
from tests.console.transcripts import examine_task, open_task, paragraphs
from tests.service import MINI, Service, until

EVIL = "<img src=x onerror=document.title=1>"


@pytest.fixture
def task(service: Service) -> dict[str, Any]:
    """A new transcript of several paragraphs."""
    return service.finished(service.submit(MINI / "samples" / "voices2.ogg", lang="en"))


def correct_first(browser: webdriver.Chrome, text: str) -> None:
    """Type ``text`` in the place of the first paragraph, without keeping it."""
    browser.execute_script("document.querySelector('.transcript li').focus()")
    press(browser, "e")
    field = visible(browser, ".correct textarea")
    assert focused(browser) == field
    field.clear()
    field.send_keys(text)


def test_correction_is_kept_by_enter_dropped_by_escape_and_undone(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    identifier = task["identifier"]
    open_task(browser, service, identifier)
    before = paragraphs(browser)
    correct_first(browser, "not this")
    press(browser, Keys.ESCAPE)
    assert paragraphs(browser) == before
    new = f"{before[0]} {EVIL}"
    correct_first(browser, new)
    examine_task(browser, service, "transcript-correcting")
    press(browser, Keys.ENTER)
    until(lambda: paragraphs(browser)[0] == new, "the correction is shown", 10)
    assert focused(browser).tag_name == "li"
    assert browser.find_elements(By.CSS_SELECTOR, ".said img") == []
    assert service.task(identifier)["result"][0]["text"].strip() == new
    assert requests.get(f"{service.url}/task/{identifier}?revision=0", timeout=30).json()["result"] == task["result"]
    browser.refresh()
    until(lambda: paragraphs(browser)[:1] == [new], "the correction stays", 20)
    visible(browser, ".changes button", lambda found: found.text == "Undo").click()
    until(lambda: paragraphs(browser) == before, "it is undone", 10)
    assert_clean(browser, service.url)


def test_text_that_is_typed_survives_the_correction_of_another_person(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    identifier = task["identifier"]
    open_task(browser, service, identifier)
    correct_first(browser, "mine")
    theirs = {"revision": 0, "edits": [{"segment": task["result"][0]["id"], "text": "theirs"}]}
    requests.patch(f"{service.url}/task/{identifier}/result", json=theirs, timeout=30).raise_for_status()
    press(browser, Keys.ENTER)
    visible(browser, ".notice", lambda found: "Somebody else has changed 1 paragraph" in found.text)
    visible(browser, ".correct .other", lambda found: found.text == "They wrote: theirs")
    field = visible(browser, ".correct textarea")
    assert field.get_attribute("value") == "mine"
    examine_task(browser, service, "transcript-meanwhile", "409")
    field.send_keys(Keys.ENTER)
    until(lambda: paragraphs(browser)[0] == "mine", "the second attempt is kept", 10)
    assert service.task(identifier)["revision"] == 2
    assert_clean(browser, service.url, "409")


def test_words_of_a_corrected_text_are_timed_on_its_page(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    identifier = task["identifier"]
    open_task(browser, service, identifier)
    correct_first(browser, "entirely other words are spoken here")
    press(browser, Keys.ENTER)
    until(lambda: service.task(identifier)["revision"] == 1, "the correction is kept", 10)
    spread = service.task(identifier)["result"]
    visible(browser, ".changes button", lambda found: found.text == "Time the words again").click()
    until(lambda: service.task(identifier)["revision"] == 2, "the words are timed", 60)
    timed = service.task(identifier)["result"]
    assert [segment["text"] for segment in timed] == [segment["text"] for segment in spread]
    assert [word["word"] for word in timed[0]["words"]] == [word["word"] for word in spread[0]["words"]]
    assert timed[0]["words"] != spread[0]["words"] and timed[1:] == spread[1:]
    alignments = f"{service.url}/task?task_type=alignment"
    assert requests.get(alignments, timeout=30).json()["tasks"] == [], "its task is deleted"
    assert "1 paragraph" in browser.find_element(By.CSS_SELECTOR, "[role=status]").get_attribute("textContent")
    visible(browser, ".changes button", lambda found: found.text == "Undo").click()
    until(lambda: service.task(identifier)["result"] == spread, "the times are those before", 10)
    assert_clean(browser, service.url)


def test_all_hits_are_replaced_in_one_revision(
    service: Service, browser: webdriver.Chrome, task: dict[str, Any]
) -> None:
    identifier = task["identifier"]
    open_task(browser, service, identifier)
    word = " ".join(paragraphs(browser)).split()[0]
    visible(browser, ".find-field").send_keys(word)
    visible(browser, ".find button", lambda found: found.text == "Replace").click()
    whole, by = visible(browser, ".replace input[type=checkbox]"), visible(browser, ".replace input[type=text]")
    whole.click()
    by.send_keys("$1 Grünwald")
    visible(browser, ".replace button").click()
    until(lambda: "$1 Grünwald" in paragraphs(browser)[0], "replaced", 10)
    assert word not in " ".join(paragraphs(browser)).split()
    assert service.task(identifier)["revision"] == 1
    assert_clean(browser, service.url)
