"""POST /detect-language: a native task for the fields file and file_url, an answer in one request for audio_file."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import claims
from tests.app.posting import post, refused, rows, submitted
from tests.app.rows import completed

PUBLIC_ADDRESS = "93.184.215.14"


def test_a_detection_passes_all_waiting_tasks(anywhere: Flask) -> None:
    first, second = submitted(anywhere), submitted(anywhere)
    detection = submitted(anywhere, path="/detect-language")
    shown = {each: anywhere.test_client().get(f"/task/{each}").get_json() for each in (first, second, detection)}
    assert [shown[each]["queue_position"] for each in (detection, first, second)] == [1, 2, 3]
    claimed = [claims.claim("me") for _ in range(3)]
    assert [row and row.uuid for row in claimed] == [detection, first, second]


def test_its_result_is_json_or_text(anywhere: Flask) -> None:
    identifier = submitted(anywhere, path="/detect-language")
    result = {"language_code": "de", "language": "german", "confidence": 0.98}
    completed(json.dumps(result))
    client = anywhere.test_client()
    shown = client.get(f"/task/{identifier}").get_json()
    assert shown["result"] == result and shown["task_type"] == "detect_language"
    assert client.get(f"/task/{identifier}/result").get_json() == result
    assert client.get(f"/task/{identifier}/result?format=txt").text == "de german\n"
    refused(client.get(f"/task/{identifier}/result?format=srt"), 422, "format")
    listed = client.get("/task?task_type=detect_language").get_json()["tasks"]
    assert [task["identifier"] for task in listed] == [identifier]


def test_url_is_accepted(web: Flask) -> None:
    answer = web.test_client().post("/detect-language", data={"file_url": f"https://{PUBLIC_ADDRESS}/film.mkv"})
    assert answer.status_code == 201, answer.text
    (row,) = rows()
    assert (row.task_type, row.lane, row.facade) == ("detect_language", 0, None)


def test_a_threshold_for_one_window_is_warned_of(web: Flask) -> None:
    submitted(web, "?language_detection_threshold=0.9", path="/detect-language")
    submitted(web, "?language_detection_threshold=0.9&language_detection_segments=2", path="/detect-language")
    assert [json.loads(row.warnings) for row in rows()] == [
        ["language_detection_threshold has no effect: language_detection_segments=1 uses one window."],
        [],
    ]


@pytest.mark.parametrize("wait", ["0", "1"])
def test_a_native_client_may_wait(web: Flask, wait: str) -> None:
    answer = post(web, f"?wait={wait}", path="/detect-language")
    assert answer.status_code == 201 and answer.get_json()["status"] == "QUEUED"
    assert answer.get_json()["message"] == "Detect language task has queued"


def test_native_errors_keep_their_shape(web: Flask) -> None:
    refused(web.test_client().get("/detect-language"), 405)
    refused(web.test_client().post("/detect-language"), 422, "file")
    refused(post(web, "?nonsense=1", path="/detect-language"), 422, "nonsense")
    refused(post(web, "?encode=false", path="/detect-language"), 422, "encode")  # the field is that of a native client
    refused(web.test_client().post("/detect-language", json={}), 415)


def send(web: Flask, query: str, **form: Any) -> TestResponse:
    return web.test_client().post(f"/detect-language{query}", data=form, content_type="multipart/form-data")


def test_the_field_decides_whose_errors_are_answered(web: Flask) -> None:
    sound = (io.BytesIO(b""), "a.wav")
    assert send(web, "", audio_file=sound).mimetype == "text/plain"
    refused(send(web, "", file=(io.BytesIO(b""), "a.wav")), 422, "file")
    assert send(web, "?encode=true").mimetype == "text/plain"
    refused(send(web, ""), 422, "file")
