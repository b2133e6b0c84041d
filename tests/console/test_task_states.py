"""The page of a task in each of its states."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests import recordings
from tests.browser import visible
from tests.console.looking import assert_clean, text_of
from tests.console.transcripts import change, examine_task, open_task, paragraphs, repeat
from tests.service import MINI, SAMPLE, Service, until

SILENCE = MINI / "samples" / "silence.flac"


def test_text_stays_after_the_purge_and_a_local_file_plays(
    service: Service, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    identifier = service.submit(lang="en")
    service.finished(identifier)
    change(service, "UPDATE task SET files_purged_at = 1.0 WHERE uuid = ?", identifier)
    shutil.rmtree(service.cache / identifier)
    browser.get(f"{service.url}/console/task/{identifier}")
    chooser = visible(browser, ".source", lambda found: "no longer has the recording" in found.text)
    assert paragraphs(browser)
    examine_task(browser, service, "transcript-purged")
    other = recordings.wav(tmp_path / "other.wav", recordings.silence(9))
    chooser.find_element(By.CSS_SELECTOR, "input").send_keys(str(other))
    visible(browser, ".source .problem", lambda found: "lasts 0:09" in found.text)
    chooser.find_element(By.CSS_SELECTOR, "input").send_keys(str(SAMPLE))
    visible(browser, ".play:not(:disabled)").click()
    until(lambda: browser.execute_script("return document.querySelector('video').currentTime > 0.2"), "it plays")
    assert_clean(browser, service.url)


def test_running_recording_fills_its_page_by_itself(
    service: Service, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    long = repeat(SAMPLE, 60, tmp_path / "long.wav")
    identifier = service.submit(long, lang="en")
    browser.get(f"{service.url}/console/task/{identifier}")
    visible(browser, ".stage progress")
    visible(browser, ".transcript li")
    examine_task(browser, service, "transcript-running")
    service.finished(identifier)
    until(lambda: not browser.find_elements(By.CSS_SELECTOR, ".stage progress"), "the end is shown")
    expected = len(service.task(identifier)["result"])
    until(lambda: len(paragraphs(browser)) == expected, "all of the text is shown")
    assert_clean(browser, service.url)


def test_recordings_without_speech_with_errors_and_without_a_task_say_so(
    service: Service, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    silent, broken = service.submit(SILENCE, lang="en"), service.submit(b"this is no recording" * 100)
    service.finished(silent)
    service.finished(broken)
    browser.get(f"{service.url}/console/task/{silent}")
    visible(browser, ".task .empty", lambda found: "Nobody speaks" in found.text)
    examine_task(browser, service, "transcript-empty")
    browser.get(f"{service.url}/console/task/{broken}")
    visible(browser, ".task .problem")
    assert service.task(broken)["error"] in text_of(browser)
    assert browser.title.startswith("Failed · ")
    examine_task(browser, service, "task-failed")
    assert_clean(browser, service.url)
    browser.get(f"{service.url}/console/task/{silent[:-4]}0000")
    visible(browser, "h1", lambda found: "no such recording" in found.text)
    examine_task(browser, service, "task-missing", "404")
    assert_clean(browser, service.url, "404")


def test_stretches_of_speech_are_a_list_and_a_strip(service: Service, browser: webdriver.Chrome) -> None:
    identifier = service.post("/vad", MINI / "samples" / "conversation.flac").json()["identifier"]
    stretches = service.finished(identifier)["result"]
    open_task(browser, service, identifier)
    assert len(paragraphs(browser)) == len(stretches)
    assert browser.find_element(By.CSS_SELECTOR, ".strip path").get_attribute("d").count("M") == len(stretches)
    assert browser.find_elements(By.CSS_SELECTOR, ".transcript .edit") == []
    examine_task(browser, service, "vad")
    assert_clean(browser, service.url)


def test_recording_is_repeated_and_deleted_on_its_page(service: Service, browser: webdriver.Chrome) -> None:
    identifier = service.submit(lang="en")
    service.finished(identifier)
    open_task(browser, service, identifier)
    visible(browser, ".task-head button", lambda found: found.text == "Again").click()
    until(lambda: identifier not in browser.current_url, "the new task is shown", 10)
    again = browser.current_url.rsplit("/", 1)[1]
    service.finished(again)
    visible(browser, ".transcript li")
    visible(browser, ".task-head button", lambda found: found.text == "Delete").click()
    visible(browser, "dialog .danger").click()
    until(lambda: browser.current_url.endswith("/console"), "the list is shown", 10)
    assert requests.get(f"{service.url}/task/{again}", timeout=30).status_code == 404
    assert service.task(identifier)["result"]


def test_picture_of_a_video_is_shown_above_the_text(
    service: Service, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    identifier = service.submit(film(tmp_path / "interview.webm"), lang="en")
    service.finished(identifier)
    open_task(browser, service, identifier)
    picture = visible(browser, ".picture video")
    assert picture.find_element(By.CSS_SELECTOR, "track").get_attribute("kind") == "captions"
    examine_task(browser, service, "transcript-video")
    assert_clean(browser, service.url)


def film(path: Path) -> Path:
    """Write a film that browsers play: two grey seconds with speech."""
    sound = recordings.speech(SAMPLE)
    with av.open(str(path), "w", format="webm") as output:
        picture: Any = output.add_stream("libvpx", rate=10)
        picture.width, picture.height, picture.pix_fmt = 320, 180, "yuv420p"
        track: Any = output.add_stream("libopus", rate=48_000, layout="mono")
        for number in range(20):
            grey = np.full((180, 320, 3), 80 + 5 * number, np.uint8)
            output.mux(picture.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        output.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(sound[None, :], format="s16", layout="mono")
        frame.rate = recordings.RATE
        resampler = av.AudioResampler(format=track.codec_context.format, layout="mono", rate=48_000, frame_size=960)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(track.encode(block))
        output.mux(track.encode(None))
    return path
