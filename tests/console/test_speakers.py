"""Names of speakers on the page of a transcript."""

from __future__ import annotations

import json

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import visible
from tests.console.looking import assert_clean, focused, press
from tests.console.transcripts import change, examine_task, open_task, run_module, set_result
from tests.service import MINI, Service, until


@pytest.fixture
def diarized(service: Service) -> str:
    """A new transcript of two voices."""
    identifier = service.submit(MINI / "samples" / "voices2.ogg", is_diarize=True, lang="en")
    service.finished(identifier)
    return identifier


def names(browser: webdriver.Chrome) -> list[str]:
    return [name.text for name in browser.find_elements(By.CSS_SELECTOR, ".people .name")]


def test_new_name_is_shown_everywhere_and_two_labels_of_one_name_are_one_person(
    service: Service, browser: webdriver.Chrome, diarized: str
) -> None:
    open_task(browser, service, diarized)
    before = names(browser)
    assert len(before) == 2
    browser.execute_script("document.querySelector('.transcript li').focus()")
    press(browser, "n")
    field = visible(browser, ".rename input")
    assert focused(browser) == field
    field.send_keys("Mar:ia", Keys.ENTER)
    visible(browser, ".rename .problem", lambda found: found.text.startswith("A name has"))
    assert field.get_attribute("value") == "Mar:ia", "what was typed stays"
    examine_task(browser, service, "transcript-wrong-name", "422")
    field.clear()
    field.send_keys("Öztürk", Keys.ENTER)
    until(lambda: "Öztürk" in names(browser), "the name is shown", 10)
    assert visible(browser, ".transcript .who .name").text == "Öztürk"
    assert "Öztürk" in visible(browser, ".strip").text
    browser.refresh()
    until(lambda: "Öztürk" in names(browser), "the name is kept", 20)
    for file_format in ("txt", "vtt", "textgrid", "eaf", "qda"):
        text = requests.get(f"{service.url}/task/{diarized}/result?format={file_format}", timeout=30).text
        assert "Öztürk" in text, file_format
    until(lambda: browser.find_elements(By.CSS_SELECTOR, ".play:not(:disabled)"), "it is loaded")
    other = next(name for name in names(browser) if name != "Öztürk")
    visible(browser, f"[aria-label='Rename {other}']").click()
    visible(browser, ".rename select").find_elements(By.CSS_SELECTOR, "option")[-1].click()
    until(lambda: names(browser) == ["Öztürk"], "both are one person", 10)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".strip li")) == 1
    next(each for each in browser.find_elements(By.CSS_SELECTOR, ".people button") if each.text == "Divide").click()
    until(lambda: names(browser) == before, "they are apart again", 10)
    assert_clean(browser, service.url, "422")


def test_twelve_speakers_fit_on_the_page(service: Service, browser: webdriver.Chrome, diarized: str) -> None:
    open_task(browser, service, diarized)
    labels = [f"SPEAKER_{number:02}" for number in range(12)]
    people = run_module(
        browser,
        "task/people.js",
        "return given.gatherPeople(values[0], { SPEAKER_01: 'Anna', SPEAKER_02: 'Anna', SPEAKER_11: 'SPEAKER_00' });",
        labels,
    )
    assert len(people) == 10
    assert people[0]["labels"] == ["SPEAKER_00", "SPEAKER_11"]
    assert people[1] == {"name": "Anna", "initial": "A", "colour": 1, "labels": ["SPEAKER_01", "SPEAKER_02"]}
    assert {person["colour"] for person in people} == set(range(8))
    set_speakers(service, diarized, labels)
    named = {label: f"{label[-2:]} Donaudampfschifffahrtsgesellschaftskapitän Müller-Lüdenscheidt" for label in labels}
    answer = requests.patch(f"{service.url}/task/{diarized}", json={"speaker_names": named}, timeout=30)
    answer.raise_for_status()
    open_task(browser, service, diarized)
    assert names(browser) == list(named.values())
    examine_task(browser, service, "transcript-twelve-speakers")


def set_speakers(service: Service, identifier: str, labels: list[str]) -> None:
    """Give a transcript as many speakers as there are labels, one a paragraph."""
    segments = service.task(identifier)["result"][: len(labels)]
    for segment, label in zip(segments, labels, strict=True):
        segment["speaker"] = label
        for word in segment["words"]:
            word["speaker"] = label
    set_result(service, identifier, segments)
    turns = [[segment["start"], segment["end"], segment["speaker"]] for segment in segments]
    change(service, "UPDATE result SET speaker_turns = ? WHERE task = ?", json.dumps(turns), identifier)
