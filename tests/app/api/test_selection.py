"""GET /results: a ZIP with the results of chosen tasks, in several formats."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.app.calling import Caller, make_key
from tests.app.conftest import MakeWeb
from tests.app.posting import refused, submitted
from tests.app.rows import completed

WORD = {"word": "hello", "start": 0.0, "end": 1.0, "probability": 0.9, "speaker": None}
SEGMENTS = json.dumps([{"id": 0, "start": 0.0, "end": 1.0, "text": "hello", "speaker": None, "words": [WORD]}])
SPANS = json.dumps([{"start": 0.5, "end": 1.5}])


def get(web: Flask, *identifiers: str, query: str = "") -> TestResponse:
    return web.test_client().get(f"/results?{'&'.join(f'task={each}' for each in identifiers)}{query}")


def unpacked(answer: TestResponse) -> dict[str, str]:
    assert (answer.status_code, answer.content_type) == (200, "application/zip"), answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def transcribed(web: Flask, name: str = "a.wav") -> str:
    submitted(web, name=name)
    return completed(SEGMENTS)


def test_each_task_has_a_file_in_each_format(web: Flask) -> None:
    chosen = [transcribed(web, "monday.mp3"), transcribed(web, "tuesday.mp3"), transcribed(web, "monday.wav")]
    transcribed(web, "not chosen.mp3")
    files = unpacked(get(web, *chosen, query="&format=srt&format=txt"))
    names = ["monday.srt", "monday.txt", "tuesday.srt", "tuesday.txt", "monday (2).srt", "monday (2).txt"]
    assert list(files) == names
    assert files["monday.txt"] == "hello\n" and "-->" in files["monday (2).srt"]


def test_default_format_is_json(web: Flask) -> None:
    assert json.loads(unpacked(get(web, transcribed(web)))["a.json"]) == json.loads(SEGMENTS)


def test_tasks_without_a_result_are_named(web: Flask) -> None:
    done, waiting = transcribed(web), submitted(web, name="later.wav")
    files = unpacked(get(web, done, waiting, query="&format=txt"))
    assert set(files) == {"a.txt", "not completed.txt"}
    assert files["not completed.txt"].startswith("later.wav") and waiting in files["not completed.txt"]


def test_tasks_of_several_kinds_have_the_formats_of_their_kind(web: Flask) -> None:
    spoken = transcribed(web)
    submitted(web, path="/vad", name="b.wav")
    found = completed(SPANS)
    assert set(unpacked(get(web, spoken, found, query="&format=srt&format=tsv"))) == {"a.srt", "a.tsv", "b.tsv"}
    refused(get(web, spoken, found, query="&format=srt"), 422, "format")
    refused(get(web, found, query="&format=srt&format=tsv"), 422, "format")


def test_repeated_names_count_once(web: Flask) -> None:
    identifier = transcribed(web)
    assert list(unpacked(get(web, identifier, identifier, query="&format=txt&format=txt"))) == ["a.txt"]


@pytest.mark.parametrize("query", ["", "task=", "task=x&format=nope", "task=x&nope=1"])
def test_wrong_selection_is_refused(web: Flask, query: str) -> None:
    assert web.test_client().get(f"/results?{query}").status_code == 422


def test_selection_is_limited(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_batch": 2})
    chosen = [transcribed(web) for _ in range(3)]
    assert unpacked(get(web, *chosen[:2]))
    assert "At most 2" in refused(get(web, *chosen), 422, "task")["errors"]["task"][0]


def test_unknown_task_is_not_left_out_silently(web: Flask) -> None:
    refused(get(web, transcribed(web), "86bf091c-17e9-4293-9839-95f53f70653e"), 404)


def test_results_of_another_key_are_not_found(web: Flask) -> None:
    alice, bob = Caller(web, make_key("alice")), Caller(web, make_key("bob"))
    identifier = alice.submit()
    assert alice.get(f"/results?task={identifier}").status_code == 200
    refused(bob.get(f"/results?task={identifier}"), 404)
