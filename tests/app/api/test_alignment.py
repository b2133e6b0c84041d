"""POST /alignment takes a transcript; POST /task/<identifier>/align takes that of a task, with its recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from app.core.db import retention, tasks, transcripts
from app.core.db.tasks import Task
from app.core.storage.paths import source_path
from app.core.storage.removal import remove_folder
from app.current import get_settings
from tests.app.posting import RECORDING, post, refused, rows, submitted
from tests.app.rows import claimed, completed

SEGMENTS = [
    {"id": 0, "start": 0.5, "end": 1.25, "text": "hello monday", "speaker": "A", "words": [], "tokens": [1]},
    {"id": 1, "start": 2.0, "end": 2.5, "text": "and thanks", "speaker": None, "words": [], "tokens": [2]},
]


def transcribed(web: Flask, query: str = "", language: str | None = "en", result: Any = SEGMENTS) -> str:
    identifier = submitted(web, query, name="interview.mp3")
    claim = claimed()
    facts = {"language": language} if language else {}
    assert tasks.complete(claim, "json", json.dumps(result), [], 0.5, **facts)
    return identifier


def test_transcript_is_stored_beside_the_task_and_its_digest_shown(anywhere: Flask) -> None:
    identifier = submitted(anywhere, path="/alignment", transcript='[{"start": 0, "end": 1, "text": "hello"}]')
    assert json.loads(transcripts.get(identifier) or "")[0]["text"] == "hello"
    listed = anywhere.test_client().get("/task").get_json()["tasks"][0]
    assert listed["task_type"] == "alignment" and len(listed["task_params"]["transcript"]) == 64
    tasks.delete(identifier)
    assert transcripts.get(identifier) is None


def test_equal_alignments_are_shared_and_other_texts_are_not(web: Flask) -> None:
    first = submitted(web, "?reuse=true", path="/alignment")
    assert submitted(web, "?reuse=true", path="/alignment") == first
    assert submitted(web, "?reuse=true", path="/alignment", transcript="hello tuesday") != first


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"transcript": "[{]"}, "transcript"),
        ({"transcript": ""}, "transcript"),
        ({"lang": "auto"}, "lang"),
        ({"lang": ""}, "lang"),
        ({"lang": "af"}, "lang"),
    ],
)
def test_alignment_needs_a_transcript_and_a_language_with_a_model(
    web: Flask, given: dict[str, str], field: str
) -> None:
    refused(post(web, path="/alignment", **given), 422, field)
    assert rows() == []


def test_the_latest_text_of_a_task_is_aligned_with_its_recording(anywhere: Flask) -> None:
    earlier = transcribed(anywhere, "?audio_track=1")
    client = anywhere.test_client()
    client.patch(f"/task/{earlier}/result", json={"revision": 0, "edits": [{"segment": 0, "text": ""}]})
    answer = client.post(f"/task/{earlier}/align")
    assert answer.status_code == 201
    made = answer.get_json()["identifier"]
    assert answer.headers["Location"] == f"/task/{made}"
    row = Task.get(Task.uuid == made)
    assert (row.task_type, row.status, row.file_name) == ("alignment", "QUEUED", "interview.mp3")
    params = json.loads(row.params)
    assert (params["lang"], params["audio_track"], params["raw_pcm"]) == ("en", 1, False)
    expected = [{"id": 1, "start": 2.0, "end": 2.5, "text": "and thanks", "speaker": None}]
    assert json.loads(transcripts.get(made) or "") == expected
    cache = get_settings(anywhere).cache.path
    assert source_path(cache, made).read_bytes() == RECORDING
    assert source_path(cache, made).samefile(source_path(cache, earlier))
    remove_folder(cache, earlier)
    assert source_path(cache, made).read_bytes() == RECORDING


def test_a_removed_recording_cannot_be_aligned(web: Flask) -> None:
    earlier = transcribed(web)
    remove_folder(get_settings(web).cache.path, earlier)
    refused(web.test_client().post(f"/task/{earlier}/align"), 410)
    retention.mark_purged(earlier)
    refused(web.test_client().post(f"/task/{earlier}/align"), 410)
    assert len(rows()) == 1 and [path.name for path in get_settings(web).cache.path.iterdir()] == ["incoming"]


def test_texts_that_do_not_fit_the_recording_are_refused(web: Flask) -> None:
    speech = submitted(web, path="/vad")
    completed("[]")
    for identifier in (
        speech,
        transcribed(web, "?is_translate=true&lang=de", "de"),
        transcribed(web, language="af"),
        transcribed(web, result=[]),
    ):
        refused(web.test_client().post(f"/task/{identifier}/align"), 422, "identifier")
    refused(web.test_client().post("/task/unknown/align"), 404)
    refused(web.test_client().post(f"/task/{submitted(web)}/align"), 409)


def test_alignments_wait_their_turn_in_a_full_queue(make_web: Any) -> None:
    web = make_web(limits={"max_queued": 1})
    earlier = transcribed(web)
    submitted(web)
    refused(web.test_client().post(f"/task/{earlier}/align"), 429)


def test_an_alignment_is_neither_repeated_nor_made_of_several_recordings(web: Flask) -> None:
    identifier = submitted(web, path="/alignment")
    refused(web.test_client().post(f"/task/{identifier}/again"), 422, "identifier")
    refused(post(web, "?task_type=alignment", path="/batch"), 422, "task_type")
