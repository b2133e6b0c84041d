"""Recordings and waveforms for players: with ranges, never as a page, until they are purged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import tasks
from app.core.db.tasks import Task
from app.core.settings import Cache
from app.core.storage.paths import copy_path, waveform_path
from app.current import get_settings
from tests.app.calling import Caller, make_key
from tests.app.posting import RECORDING, refused, submitted
from tests.app.rows import completed, queued
from tests.app.separating import finished
from workers.supervisor import purge

PAGE = b"<!doctype html><script>alert(document.domain)</script>"
DRAWN = {"version": 2, "length": 0, "data": []}


def get(web: Flask, identifier: str, what: str = "recording", **headers: str) -> TestResponse:
    return web.test_client().get(f"/task/{identifier}/{what}", headers=headers)


def draw(web: Flask, identifier: str, sound: str = "source") -> None:
    write(waveform_path(get_settings(web).cache.path, identifier, sound), json.dumps(DRAWN).encode())


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def purge_all(web: Flask) -> None:
    Task.update(finished_at=1.0).execute()
    purge.purge_finished(Cache(path=get_settings(web).cache.path, ttl=1), 10.0**10)


def test_recording_is_sent_as_it_was_received(web: Flask) -> None:
    identifier = submitted(web, name="Fr\u00fchst\u00fcck.WAV")
    answer = get(web, identifier)
    assert (answer.status_code, answer.data) == (200, RECORDING)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment") and disposition.endswith("Fr%C3%BChst%C3%BCck.WAV")
    part = get(web, identifier, Range="bytes=4-7")
    assert (part.status_code, part.data) == (206, RECORDING[4:8])
    refused(get(web, identifier, Range="bytes=99999999-"), 416)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("video/mp4", "video/mp4"),
        (None, "application/octet-stream"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
    ],
)
def test_upload_is_never_sent_as_a_page(web: Flask, found: str | None, said: str) -> None:
    identifier = submitted(web, recording=PAGE, name="page.html")
    Task.update(media_type=found).execute()
    answer = get(web, identifier)
    assert (answer.data, answer.content_type) == (PAGE, said)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_copy_is_sent_as_an_mp3(web: Flask) -> None:
    identifier = submitted(web, name="a.amr")
    assert "not available yet" in refused(get(web, identifier, "recording?copy=true"), 409)["message"]
    write(copy_path(get_settings(web).cache.path, identifier), b"ID3")
    answer = get(web, identifier, "recording?copy=true")
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"ID3", "audio/mpeg")
    assert "a.mp3" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Security-Policy"] == "sandbox"


def test_ended_task_without_a_copy_is_404(web: Flask) -> None:
    identifier = submitted(web)
    completed()
    refused(get(web, identifier, "recording?copy=true"), 404)
    refused(get(web, identifier, "waveform"), 404)


def test_waveform_is_sent_once_it_is_there(web: Flask) -> None:
    identifier = submitted(web)
    answer = get(web, identifier, "waveform")
    refused(answer, 409)
    assert int(answer.headers["Retry-After"]) >= 1
    draw(web, identifier)
    answer = get(web, identifier, "waveform")
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", DRAWN)


def test_each_stem_has_a_waveform_of_its_own(web: Flask) -> None:
    identifier = finished(web)
    draw(web, identifier, "vocals")
    assert get(web, identifier, "waveform?file=vocals.wav").get_json() == DRAWN
    refused(get(web, identifier, "waveform?file=instrumental.wav"), 404)


@pytest.mark.parametrize(
    "name", ["source", "vocals", "../source", "..%2f..%2fsource", "%2fetc%2fpasswd", "nothing.wav"]
)
def test_only_stems_are_looked_up(web: Flask, name: str) -> None:
    identifier = finished(web)
    draw(web, identifier)
    assert "vocals.wav" in refused(get(web, identifier, f"waveform?file={name}"), 404)["message"]


def test_purged_files_are_410(web: Flask) -> None:
    identifier = finished(web)
    for sound in ("source", "vocals"):
        draw(web, identifier, sound)
    write(copy_path(get_settings(web).cache.path, identifier), b"ID3")
    purge_all(web)
    for what in ("recording", "recording?copy=true", "waveform", "waveform?file=vocals.wav"):
        assert "removed at" in refused(get(web, identifier, what), 410)["message"]


def test_recording_that_is_still_to_be_downloaded_is_409(web: Flask) -> None:
    refused(get(web, queued("https://media.example/a.wav")), 409)


def test_recording_that_was_not_downloaded_is_404(web: Flask) -> None:
    identifier = queued("https://media.example/a.wav")
    tasks.cancel(identifier)
    refused(get(web, identifier), 404)


@pytest.mark.parametrize("what", ["recording", "recording?copy=true", "waveform"])
def test_recording_of_another_key_does_not_exist(web: Flask, what: str) -> None:
    alice, bob = Caller(web, make_key("alice")), Caller(web, make_key("bob"))
    identifier = alice.submit()
    draw(web, identifier)
    write(copy_path(get_settings(web).cache.path, identifier), b"ID3")
    assert alice.get(f"/task/{identifier}/{what}").status_code == 200
    refused(bob.get(f"/task/{identifier}/{what}"), 404)
    refused(Caller(web, None).get(f"/task/{identifier}/{what}"), 401)
