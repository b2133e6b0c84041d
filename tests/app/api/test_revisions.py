"""Edits of a transcript: revisions beside the machine's result, undo, and answers to two people at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import connection, tasks
from app.schemas.revisions import LONGEST_TEXT, MOST_EDITS
from tests.app.posting import refused, submitted
from tests.app.rows import claimed, completed


def segment(number: int, text: str) -> dict[str, Any]:
    start = 2.0 * number
    words = [
        {"word": word, "start": start + place / 2, "end": start + place / 2 + 0.4, "probability": 0.5, "speaker": None}
        for place, word in enumerate(text.split())
    ]
    times = {"start": start, "end": start + 1.5}
    return {"id": number, **times, "text": text, "speaker": None, "words": words, "tokens": [1, 2]}


SEGMENTS = [segment(0, "hello munday"), segment(1, "and thanks"), segment(2, "good bye")]


def transcribed(web: Flask) -> str:
    identifier = submitted(web)
    completed(json.dumps(SEGMENTS))
    return identifier


def edit(web: Flask, identifier: str, revision: int, *edits: tuple[int, str] | dict[str, Any]) -> TestResponse:
    listed = [each if isinstance(each, dict) else {"segment": each[0], "text": each[1]} for each in edits]
    return web.test_client().patch(f"/task/{identifier}/result", json={"revision": revision, "edits": listed})


def undo(web: Flask, identifier: str, revision: int) -> TestResponse:
    return web.test_client().post(f"/task/{identifier}/result/undo", json={"revision": revision})


def shown(web: Flask, identifier: str, query: str = "") -> tuple[int, list[str]]:
    body = web.test_client().get(f"/task/{identifier}{query}").get_json()
    return body["revision"], [each["text"] for each in body["result"]]


def test_an_edit_makes_a_revision_and_keeps_the_machines_result(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    answer = edit(anywhere, identifier, 0, (0, "Hello,  monday\n"))
    assert answer.status_code == 200
    body = answer.get_json()
    ((number, made),) = body["segments"]
    assert (body["revision"], number, made["text"], made["tokens"]) == (1, 0, "Hello, monday", [])
    assert [(word["word"], word["start"], word["probability"]) for word in made["words"]] == [
        ("Hello,", 0.0, 0.5),
        ("monday", 0.5, 1.0),
    ]
    assert shown(anywhere, identifier) == (1, ["Hello, monday", "and thanks", "good bye"])
    assert anywhere.test_client().get(f"/task/{identifier}?revision=0").get_json()["result"] == SEGMENTS
    assert anywhere.test_client().get(f"/task/{identifier}/result?revision=0").get_json() == SEGMENTS


def test_files_have_the_latest_text_and_older_ones_on_request(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    client = anywhere.test_client()
    path = f"/task/{identifier}/result?format=txt"
    assert client.get(path).text.splitlines()[0] == "hello munday"
    edit(anywhere, identifier, 0, (0, "hello monday"))
    edit(anywhere, identifier, 1, (0, "hello tuesday"))
    for query, text in (("", "tuesday"), ("&revision=1", "monday"), ("&revision=0", "munday"), ("", "tuesday")):
        assert client.get(path + query).text.splitlines()[0] == f"hello {text}"
    refused(client.get(f"{path}&revision=3"), 422, "revision")
    refused(client.get(f"/task/{identifier}?revision=3"), 422, "revision")


def test_an_empty_text_removes_the_segment_and_other_ids_stay(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    assert edit(anywhere, identifier, 0, (1, " ")).get_json() == {"revision": 1, "segments": [[1, None]]}
    assert edit(anywhere, identifier, 1, (2, "good night")).status_code == 200
    assert shown(anywhere, identifier) == (2, ["hello munday", "good night"])
    assert undo(anywhere, identifier, 2).status_code == 200
    assert undo(anywhere, identifier, 3).get_json()["segments"] == [[1, SEGMENTS[1]]]
    assert anywhere.test_client().get(f"/task/{identifier}").get_json()["result"] == SEGMENTS


def test_undo_goes_back_change_by_change(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    edit(anywhere, identifier, 0, (0, "one"))
    edit(anywhere, identifier, 1, (0, "two"), (2, "bye"))
    for revision, texts in (
        (2, ["one", "and thanks", "good bye"]),
        (3, ["hello munday", "and thanks", "good bye"]),
    ):
        assert undo(anywhere, identifier, revision).get_json()["revision"] == revision + 1
        assert shown(anywhere, identifier) == (revision + 1, texts)
    refused(undo(anywhere, identifier, 4), 422, "revision")
    edit(anywhere, identifier, 4, (0, "three"))
    assert undo(anywhere, identifier, 5).status_code == 200
    assert shown(anywhere, identifier)[1] == ["hello munday", "and thanks", "good bye"]
    listed = anywhere.test_client().get(f"/task/{identifier}/revisions").get_json()
    assert listed["revision"] == 6
    assert [each["content"] for each in listed["revisions"]] == [0, 1, 2, 1, 0, 5, 0]
    assert [each["changed"] for each in listed["revisions"]] == [0, 1, 2, 2, 1, 1, 1]
    assert shown(anywhere, identifier, "?revision=2") == (2, ["two", "and thanks", "bye"])


def test_an_edit_of_an_older_revision_gets_what_has_changed(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    edit(anywhere, identifier, 0, (0, "hello monday"), (1, ""))
    for late in (edit(anywhere, identifier, 0, (2, "lost")), undo(anywhere, identifier, 0)):
        assert late.status_code == 409
        body = late.get_json()
        assert (body["code"], body["error_code"], body["revision"]) == (409, "edited_meanwhile", 1)
        assert [(number, each and each["text"]) for number, each in body["changed"]] == [(0, "hello monday"), (1, None)]
    assert shown(anywhere, identifier) == (1, ["hello monday", "good bye"])


def test_of_two_people_who_edit_at_once_one_is_told(anywhere: Flask) -> None:
    identifier = transcribed(anywhere)
    connection.database.close()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: edit(anywhere, identifier, 0, (0, f"said by {number}")), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (won,) = [answer.get_json()["segments"] for answer in answers if answer.status_code == 200]
    assert all(answer.get_json()["changed"] == won for answer in answers if answer.status_code == 409)


def test_an_edit_without_a_change_makes_no_revision(web: Flask) -> None:
    identifier = transcribed(web)
    assert edit(web, identifier, 0, (0, "hello munday")).get_json() == {"revision": 0, "segments": []}
    assert shown(web, identifier)[0] == 0


def test_words_with_times_are_taken_and_their_segment_grows(web: Flask) -> None:
    identifier = transcribed(web)
    words = [
        {"word": "and", "start": 1.75, "end": 2.2},
        {"word": "thanks.", "start": 2.5, "end": 3.9, "probability": 0.4},
    ]
    ((_, made),) = edit(web, identifier, 0, {"segment": 1, "text": "and thanks.", "words": words}).get_json()[
        "segments"
    ]
    assert (made["start"], made["end"]) == (1.75, 3.9)
    assert [(word["start"], word["probability"], word["speaker"]) for word in made["words"]] == [
        (1.75, 1.0, None),
        (2.5, 0.4, None),
    ]


@pytest.mark.parametrize(
    ("edits", "field"),
    [
        ([{"segment": 7, "text": "x"}], "edits.0.segment"),
        ([{"segment": 0, "text": "x"}, {"segment": 0, "text": "y"}], "edits.1.segment"),
        ([{"segment": 0}], "edits.0.text"),
        ([{"segment": 0, "text": "x" * (LONGEST_TEXT + 1)}], "edits.0.text"),
        ([{"segment": 0, "text": "x", "speaker": "A"}], "edits.0.speaker"),
        ([{"segment": 0, "text": "x"}] * (MOST_EDITS + 1), "edits"),
        ([], "edits"),
        ([{"segment": 0, "text": "x", "words": [{"word": "y", "start": 0, "end": 1}]}], "edits.0.words"),
        ([{"segment": 0, "text": "x", "words": [{"word": "x", "start": 1, "end": 0.5}]}], "edits.0.words"),
        ([{"segment": 0, "text": "x", "words": [{"word": "x", "start": 0, "end": 2.1}]}], "edits.0.words"),
        ([{"segment": 0, "text": "", "words": [{"word": "x", "start": 0, "end": 1}]}], "edits.0.words"),
        ([{"segment": 0, "text": "x", "words": [{"word": "x", "start": "soon", "end": 1}]}], "edits.0.words.0.start"),
    ],
)
def test_edits_that_cannot_be_made_are_refused_as_a_whole(web: Flask, edits: list[Any], field: str) -> None:
    identifier = transcribed(web)
    answer = web.test_client().patch(f"/task/{identifier}/result", json={"revision": 0, "edits": edits})
    refused(answer, 422, field)
    assert shown(web, identifier)[0] == 0


def test_bodies_that_are_no_edits_are_refused(web: Flask) -> None:
    path = f"/task/{transcribed(web)}/result"
    client = web.test_client()
    refused(client.patch(path, data="[", content_type="application/json"), 400)
    refused(client.patch(path, data="[]", content_type="application/json"), 400)
    refused(client.patch(path, json={"edits": [{"segment": 0, "text": "x"}]}), 422, "revision")
    refused(client.patch(path, json={"revision": 4, "edits": [{"segment": 0, "text": "x"}]}), 422, "revision")
    refused(client.patch(path, data=b'"' + b"x" * 2**20 + b'"', content_type="application/json"), 413)


def test_only_completed_transcripts_can_be_edited(web: Flask) -> None:
    waiting = submitted(web)
    refused(edit(web, waiting, 0, (0, "x")), 409)
    refused(web.test_client().get(f"/task/{waiting}/revisions"), 409)
    refused(edit(web, "unknown", 0, (0, "x")), 404)
    tasks.complete(claimed(), "json", "[]", [], 0.1)
    speech = submitted(web, path="/vad")
    completed("[]")
    refused(edit(web, speech, 0, (0, "x")), 422, "identifier")
    refused(undo(web, speech, 0), 422, "identifier")
