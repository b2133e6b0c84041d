"""The first page of the console, on the real service: from the drop to the finished recording."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests import recordings
from tests.browser import visible
from tests.console.looking import assert_clean, drop_files, examine, focused, press, text_of
from tests.service import SAMPLE, Service, promptly, until

EVIL = "<img src=x onerror=document.title=1>"
FILES = "#files"


def rows(browser: webdriver.Chrome) -> dict[str, str]:
    """Map the name of each recording in the list to the words of its row."""
    found: list[list[str]] = browser.execute_script(
        "return [...document.querySelectorAll('.row')].map((row) => [row.querySelector('.name').textContent, row.innerText])"
    )
    return dict(found)


def find_states(browser: webdriver.Chrome, name: str) -> list[str]:
    """List the first fact of each row with this name."""
    found: list[list[str]] = browser.execute_script(
        """
        const texts = (row, css) => row.querySelector(css).textContent;
        return [...document.querySelectorAll(".row")].map((row) => [texts(row, ".name"), texts(row, ".facts")]);
        """
    )
    return [facts.split(" · ")[0] for each, facts in found if each == name]


def row(browser: webdriver.Chrome, name: str) -> WebElement:
    return visible(browser, ".row", lambda found: name in found.text)


def button(place: WebElement, label: str) -> WebElement:
    return next(each for each in place.find_elements(By.CSS_SELECTOR, "button, a") if each.text == label)


def choose(browser: webdriver.Chrome, *paths: Path) -> None:
    until(lambda: browser.find_elements(By.CSS_SELECTOR, FILES), "the page is drawn")
    browser.find_element(By.CSS_SELECTOR, FILES).send_keys("\n".join(map(str, paths)))


def start(browser: webdriver.Chrome) -> None:
    visible(browser, ".start button").click()


def open_console(browser: webdriver.Chrome, service: Service) -> None:
    browser.get(f"{service.url}/console")
    visible(browser, ".options")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds of speech."""
    path = tmp_path_factory.mktemp("short") / "short.wav"
    return recordings.wav(path, recordings.speech(SAMPLE)[: 3 * recordings.RATE]).read_bytes()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def own(request: pytest.FixtureRequest) -> str:
    """A file name that no other test uses."""
    return f"interview {request.node.name[5:40]}.flac"


def test_chosen_and_dropped_recordings_finish_without_a_reload(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str, short: bytes
) -> None:
    dropped = f"dropped {own}"
    open_console(browser, service)
    choose(browser, write(tmp_path / own, short))
    drop_files(browser, "footer", (dropped, short))
    visible(browser, ".uploads", lambda found: own in found.text and dropped in found.text)
    examine(browser, "home-staged")
    browser.execute_script("window.isSamePage = true")
    start(browser)
    until(lambda: {own, dropped} <= rows(browser).keys(), "both recordings are listed")
    until(lambda: all("Done" in rows(browser).get(name, "") for name in (own, dropped)), "both are done")
    assert browser.execute_script("return window.isSamePage")
    assert browser.find_elements(By.CSS_SELECTOR, ".upload") == []
    before = {name: words for name, words in rows(browser).items() if own in name}
    examine(browser, "home-done")
    browser.refresh()
    until(lambda: {name: words for name, words in rows(browser).items() if own in name} == before, "the same after")
    assert_clean(browser, service.url)


def test_options_reach_the_task_and_are_remembered(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str, short: bytes
) -> None:
    open_console(browser, service)
    browser.find_element(By.CSS_SELECTOR, "#option-lang option[value=de]").click()
    browser.find_element(By.ID, "option-hotwords").send_keys("Grünwald")
    browser.find_element(By.ID, "option-is_diarize").click()
    visible(browser, "#option-max_speakers").send_keys("3")
    browser.find_element(By.CSS_SELECTOR, ".more summary").click()
    visible(browser, "#option-beam_size").send_keys("2")
    browser.refresh()
    visible(browser, ".options")
    choose(browser, write(tmp_path / own, short))
    start(browser)
    until(lambda: own in rows(browser), "it is listed")
    task = requests.get(f"{service.url}/task", params={"q": own}, timeout=30).json()["tasks"][0]
    sent = {name: task["task_params"][name] for name in ("lang", "hotwords", "is_diarize", "max_speakers", "beam_size")}
    assert sent == {"lang": "de", "hotwords": "Grünwald", "is_diarize": True, "max_speakers": 3, "beam_size": 2}
    assert requests.delete(f"{service.url}/task/{task['identifier']}", timeout=30).status_code == 204


def test_wrong_option_is_said_at_its_field(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str, short: bytes
) -> None:
    open_console(browser, service)
    browser.find_element(By.ID, "option-is_diarize").click()
    visible(browser, "#option-min_speakers").send_keys("5")
    browser.find_element(By.ID, "option-max_speakers").send_keys("2")  # only the server knows that these do not fit
    browser.find_element(By.CSS_SELECTOR, ".more summary").click()
    visible(browser, "#option-beam_size").send_keys("0")
    choose(browser, write(tmp_path / own, short))
    start(browser)
    visible(browser, "#error-beam_size")
    assert focused(browser).get_attribute("id") == "option-beam_size"
    focused(browser).send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    start(browser)
    visible(browser, "#error-min_speakers, #error-max_speakers")
    assert focused(browser).get_attribute("id") in ("option-min_speakers", "option-max_speakers")
    assert own in visible(browser, ".uploads").text
    examine(browser, "home-wrong-option")
    assert_clean(browser, service.url, "422")


def test_recording_goes_from_choice_to_download_by_keys_alone(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str, short: bytes
) -> None:
    open_console(browser, service)
    choose(browser, write(tmp_path / own, short))  # stands for the system's own dialog
    browser.execute_script("document.activeElement.blur()")

    def tab_to(condition: str) -> None:
        for _ in range(80):
            press(browser, Keys.TAB)
            if browser.execute_script(f"return (({condition}))(document.activeElement)"):
                return
        raise AssertionError(f"not reached by Tab: {condition}")

    tab_to("(element) => element.matches('.start button')")
    press(browser, Keys.ENTER)
    until(lambda: "Done" in rows(browser).get(own, ""), "it is done")
    tab_to(f"(element) => element.getAttribute('aria-label') === 'Download: {own}'")
    press(browser, Keys.ENTER)
    press(browser, Keys.TAB)
    assert "/result?format=" in focused(browser).get_attribute("href")
    press(browser, Keys.ESCAPE)
    assert focused(browser).get_attribute("aria-label") == f"Download: {own}"


def test_focus_stays_while_the_list_is_polled(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str, short: bytes
) -> None:
    open_console(browser, service)
    choose(browser, write(tmp_path / own, short))
    start(browser)
    name = row(browser, own).find_element(By.CSS_SELECTOR, ".name")
    browser.execute_script("arguments[0].focus(); arguments[0].isSame = true", name)
    for _ in range(20):
        browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")  # polls at once
        until(lambda: browser.execute_script("return document.activeElement.isSame"), "the name has the focus", 2)
    until(lambda: "Done" in rows(browser).get(own, ""), "it is done")
    assert browser.execute_script("return document.activeElement.isSame")


def test_file_name_with_markup_stays_text(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, short: bytes
) -> None:
    long_name = f"{EVIL} Donaudampfschifffahrtsgesellschaftskapitänsmütze_{'x' * 90}.flac"
    open_console(browser, service)
    choose(browser, write(tmp_path / long_name, short))
    assert long_name in visible(browser, ".uploads").text
    start(browser)
    until(lambda: "Done" in rows(browser).get(long_name, ""), "it is done")
    examine(browser, "home-long-name")
    assert browser.find_elements(By.CSS_SELECTOR, "main img") == []
    assert_clean(browser, service.url)


def test_running_recording_is_cancelled_repeated_and_deleted(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str
) -> None:
    speech = np.concatenate([recordings.speech(SAMPLE)] * 20)
    long = recordings.wav(tmp_path / own, speech)
    open_console(browser, service)
    choose(browser, long)
    start(browser)
    row(browser, "Writing it down")
    examine(browser, "home-running")
    cancel = button(row(browser, own), "Cancel")
    browser.execute_script("arguments[0].focus()", cancel)
    cancel.click()
    until(lambda: "Cancelled" in rows(browser)[own], "it is cancelled", promptly(5))
    assert focused(browser).text == own  # the button is gone, its row keeps the focus
    button(row(browser, own), "Again").click()
    until(lambda: len(find_states(browser, own)) == 2, "it is listed twice")
    button(row(browser, own), "Cancel").click()
    until(lambda: find_states(browser, own) == ["Cancelled", "Cancelled"], "both are cancelled", promptly(5))
    button(row(browser, own), "Delete").click()
    visible(browser, "dialog .danger")
    examine(browser, "home-delete")
    visible(browser, "dialog .danger").click()
    until(lambda: len(find_states(browser, own)) == 1, "it is no longer listed")
    assert focused(browser).tag_name == "h2"
    assert len(requests.get(f"{service.url}/task", params={"q": own}, timeout=30).json()["tasks"]) == 1
    assert_clean(browser, service.url)


def test_failed_recording_says_why_and_what_to_do(
    service: Service, browser: webdriver.Chrome, tmp_path: Path, own: str
) -> None:
    open_console(browser, service)
    choose(browser, recordings.video(tmp_path / f"{own}.mp4", None))
    start(browser)
    until(lambda: "Failed" in rows(browser).get(f"{own}.mp4", ""), "it has failed")
    words = rows(browser)[f"{own}.mp4"]
    assert "Check that it is the right file." in words and "Again" in words
    assert re.search("sound|audio", words)
    examine(browser, "home-failed")


def test_several_recordings_are_selected_downloaded_and_deleted_together(
    service: Service, browser: webdriver.Chrome, own: str, short: bytes
) -> None:
    names = [f"{number} {own}" for number in (1, 2)]
    for name in names:
        sent = requests.post(f"{service.url}/vad", files={"file": (name, short)}, timeout=60)
        service.finished(sent.json()["identifier"])
    open_console(browser, service)
    visible(browser, ".search input").send_keys(own)
    until(lambda: rows(browser).keys() == set(names), "only these are listed")
    for name in names:
        row(browser, name).find_element(By.CSS_SELECTOR, ".pick input").click()
    assert "2 selected" in visible(browser, ".selection").text
    examine(browser, "home-selection")
    button(visible(browser, ".selection"), "Download as ZIP").click()
    dialog = visible(browser, "dialog")
    labels = [each.text for each in dialog.find_elements(By.CSS_SELECTOR, ".check")]
    assert [label for label in labels if "Praat" in label] and not [label for label in labels if "Word" in label]
    for label in dialog.find_elements(By.CSS_SELECTOR, ".check"):
        if "Praat" in label.text or "Excel" in label.text:
            label.click()
    examine(browser, "home-zip")
    address = button(dialog, "Download").get_attribute("href")
    archive = zipfile.ZipFile(io.BytesIO(requests.get(str(address), timeout=30).content))
    stems = [Path(name).stem for name in names]
    assert sorted(archive.namelist()) == sorted(f"{stem}.{end}" for stem in stems for end in ("TextGrid", "tsv"))
    press(browser, Keys.ESCAPE)
    button(visible(browser, ".selection"), "Delete").click()
    visible(browser, "dialog .danger", lambda found: found.text == "Delete 2 recordings").click()
    until(lambda: "No recording matches." in text_of(browser, ".queue"), "both are gone")
    examine(browser, "home-no-hits")
