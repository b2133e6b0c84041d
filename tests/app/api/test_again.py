"""POST /task/<identifier>/again: a new task with the same recording and, unless others are sent, parameters."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import tasks
from app.core.db.states import FAILED, QUEUED
from app.core.db.tasks import Task
from app.core.settings import Cache
from app.core.storage.paths import source_path
from app.current import get_settings
from tests.app.calling import Caller, make_key
from tests.app.posting import RECORDING, refused, rows, submitted
from tests.app.rows import claimed, completed, queued, row
from workers.supervisor import purge


def again(web: Flask, identifier: str, query: str = "", **more: Any) -> TestResponse:
    return web.test_client().post(f"/task/{identifier}/again{query}", **more)


def repeated(web: Flask, identifier: str, query: str = "", **more: Any) -> Task:
    answer = again(web, identifier, query, **more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/task/{answer.get_json()['identifier']}"
    return row(answer.get_json()["identifier"])


def source(web: Flask, identifier: str) -> Path:
    return source_path(get_settings(web).cache.path, identifier)


@pytest.mark.parametrize("path", ["/transcription", "/vad", "/bgm-separation", "/detect-language"])
def test_new_task_has_the_recording_and_parameters_of_the_earlier_one(web: Flask, path: str) -> None:
    identifier = submitted(web, path=path, name="interview.mp3")
    made, first = repeated(web, identifier), row(identifier)
    assert made.uuid != identifier and made.status == QUEUED
    for column in ("task_type", "file_name", "params", "warnings", "lane", "owner", "work"):
        assert getattr(made, column) == getattr(first, column), column
    assert source(web, made.uuid).read_bytes() == RECORDING
    assert source(web, made.uuid).samefile(source(web, identifier)), "no second copy on disk"


def test_parameters_that_are_sent_replace_the_earlier_ones(web: Flask) -> None:
    query = "?lang=de&beam_size=3&suppress_tokens=[-1,7]&max_speech_duration_s=20&vad_filter=true&initial_prompt= a "
    identifier = submitted(web, query)
    before = json.loads(row(identifier).params)
    assert json.loads(repeated(web, identifier).params) == before
    changed = json.loads(repeated(web, identifier, "?beam_size=7", data={"is_diarize": "true", "lang": "auto"}).params)
    assert changed == before | {"beam_size": 7, "is_diarize": True, "lang": None}


def test_values_that_json_lacks_are_kept(web: Flask) -> None:
    identifier = submitted(web, path="/vad")
    assert json.loads(row(identifier).params)["max_speech_duration_s"] is None
    assert json.loads(repeated(web, identifier, "?threshold=0.4").params)["max_speech_duration_s"] is None


def test_wrong_parameters_are_refused(web: Flask) -> None:
    identifier = submitted(web, path="/vad")
    refused(again(web, identifier, "?threshold=7"), 422, "threshold")
    refused(again(web, identifier, "?beam_size=5"), 422, "beam_size")
    refused(again(web, identifier, "?reuse=true"), 422, "reuse")
    refused(again(web, identifier, data={"file": (io.BytesIO(b"x"), "a.wav")}), 422, "file")
    refused(again(web, identifier, "?file_url=https://media.example/a.wav"), 422, "file_url")
    refused(again(web, identifier, json={}), 415)
    assert len(rows()) == 1


def test_failed_task_can_be_tried_again(web: Flask) -> None:
    identifier = submitted(web)
    assert tasks.fail(claimed(), "model_not_available", "The model is missing.", [], 1.0)
    assert row(identifier).status == FAILED
    assert repeated(web, identifier).status == QUEUED


def test_recording_outlives_the_earlier_task(web: Flask) -> None:
    identifier = submitted(web)
    made = repeated(web, identifier)
    assert web.test_client().delete(f"/task/{identifier}").status_code == 204
    assert source(web, made.uuid).read_bytes() == RECORDING


def test_purged_recording_is_410(web: Flask) -> None:
    identifier = submitted(web)
    completed()
    Task.update(finished_at=1.0).execute()
    purge.purge_finished(Cache(path=get_settings(web).cache.path, ttl=1), 10.0**10)
    refused(again(web, identifier), 410)
    assert len(rows()) == 1
    assert [path.name for path in get_settings(web).cache.path.iterdir()] == ["incoming"]


def test_recording_to_be_downloaded_is_409(web: Flask) -> None:
    refused(again(web, queued("https://media.example/a.wav")), 409)


def test_url_of_the_recording_is_shown_again(web: Flask) -> None:
    identifier = queued()
    stored = json.loads(row(identifier).params) | {"file_url": "https://media.example/a.wav"}
    Task.update(params=json.dumps(stored)).execute()
    source(web, identifier).parent.mkdir(parents=True)
    source(web, identifier).write_bytes(RECORDING)
    assert json.loads(repeated(web, identifier).params)["file_url"] == "https://media.example/a.wav"


def test_idempotency_key_makes_one_task(web: Flask) -> None:
    identifier = submitted(web)
    headers = {"Idempotency-Key": "again-1"}
    first, second = repeated(web, identifier, headers=headers), repeated(web, identifier, headers=headers)
    assert first.uuid == second.uuid and len(rows()) == 2
    refused(again(web, identifier, "?beam_size=7", headers=headers), 422, "Idempotency-Key")


def test_full_queue_is_429(make_web: Any) -> None:
    web = make_web(limits={"max_queued": 1})
    refused(again(web, submitted(web)), 429)


def test_task_of_another_key_cannot_be_repeated(web: Flask) -> None:
    alice, bob = Caller(web, make_key("alice")), Caller(web, make_key("bob"))
    identifier = alice.submit()
    refused(bob.open(f"/task/{identifier}/again", "POST"), 404)
    made = alice.open(f"/task/{identifier}/again", "POST").get_json()["identifier"]
    assert row(made).owner == row(identifier).owner is not None
