"""GET /batch/<identifier>, its results, POST …/cancel and DELETE: a batch as a whole."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
import zipfile
from typing import Any

import pytest
from flask import Flask, g

from app.api import batches as views
from app.core.db import batches, connection, tasks
from app.core.db.tasks import Task
from app.formats.result_archive import NOTE, UniqueNames
from tests.app.api.test_batch import NAMES, batched
from tests.app.posting import kept, refused, rows, submitted
from tests.app.rows import claimed, completed, row, stored_result

RESULT = json.dumps(
    [{"id": 0, "start": 0.5, "end": 1.25, "text": "grüß dich", "words": [], "speaker": None}], ensure_ascii=False
)


def follow(web: Flask, identifier: str, query: str = "") -> dict[str, Any]:
    answer = web.test_client().get(f"/batch/{identifier}{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def fail_next() -> str:
    claim = claimed()
    assert tasks.fail(claim, "no_audio", "There is no sound in it.", [], None)
    return claim.uuid


def unpack(web: Flask, identifier: str, query: str = "") -> dict[str, str]:
    answer = web.test_client().get(f"/batch/{identifier}/results{query}")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip"), answer.text
    assert answer.headers["Content-Disposition"] == f"attachment; filename={identifier}.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


# --- following ---


@pytest.mark.parametrize("slash", ["", "/"])
def test_batch_sums_up_its_tasks(anywhere: Flask, slash: str) -> None:
    identifier = batched(anywhere)["identifier"]
    submitted(anywhere)  # another task does not count
    body = follow(anywhere, identifier, slash)
    assert (body["status"], body["progress"], body["finished_at"]) == ("QUEUED", 0.0, None)
    assert body["counts"] == {"QUEUED": 3, "IN_PROGRESS": 0, "COMPLETED": 0, "FAILED": 0, "CANCELLED": 0}
    completed(RESULT)
    fail_next()
    assert tasks.report(claimed(), "transcribe", 0.4)
    body = follow(anywhere, identifier)
    assert (body["status"], body["total"], body["task_type"]) == ("IN_PROGRESS", 3, "transcription")
    assert body["counts"] == {"QUEUED": 0, "IN_PROGRESS": 1, "COMPLETED": 1, "FAILED": 1, "CANCELLED": 0}
    assert body["progress"] == pytest.approx(2.4 / 3)
    assert [line["status"] for line in body["tasks"]] == ["COMPLETED", "FAILED", "IN_PROGRESS"]
    assert [line["file_name"] for line in body["tasks"]] == NAMES
    assert body["tasks"][1]["error_code"] == "no_audio" and body["tasks"][2]["stage"] == "transcribe"
    assert [line["identifier"] for line in body["tasks"]] == [each.uuid for each in rows()][:3]


def test_places_in_the_queue_count_all_tasks(web: Flask) -> None:
    submitted(web)
    body = follow(web, batched(web)["identifier"])
    assert [line["queue_position"] for line in body["tasks"]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("ends", "status"),
    [("CCC", "COMPLETED"), ("CFX", "COMPLETED"), ("FFX", "FAILED"), ("XXX", "CANCELLED"), ("CF", "IN_PROGRESS")],
)
def test_status_of_the_whole_follows_from_its_tasks(web: Flask, ends: str, status: str) -> None:
    identifier = batched(web)["identifier"]
    for end in ends:
        if end == "X":
            assert tasks.cancel(claimed().uuid)
        else:
            completed(RESULT) if end == "C" else fail_next()
    body = follow(web, identifier)
    assert body["status"] == status
    assert (body["finished_at"] is None) == (status == "IN_PROGRESS")
    assert (body["progress"] == 1.0) == (status != "IN_PROGRESS")


def test_poll_of_an_unfinished_batch_says_when_to_ask_again(web: Flask) -> None:
    identifier = batched(web)["identifier"]
    assert web.test_client().get(f"/batch/{identifier}").headers["Retry-After"] == "3"
    batches.cancel(identifier)
    assert "Retry-After" not in web.test_client().get(f"/batch/{identifier}").headers


def end_soon(app: Flask) -> threading.Thread:
    """Complete three tasks after half a second, in a thread."""

    def complete() -> None:
        time.sleep(0.5)
        with connection.database.connection_context():
            for _ in NAMES:
                completed(RESULT)

    thread = threading.Thread(target=complete)
    thread.start()
    return thread


@pytest.mark.parametrize("header", [False, True])
def test_client_can_wait_for_the_end_of_a_batch(web: Flask, header: bool) -> None:
    identifier = batched(web)["identifier"]
    thread = end_soon(web)
    query, headers = ("", {"Prefer": "wait=30"}) if header else ("?wait=30", {})
    answer = web.test_client().get(f"/batch/{identifier}{query}", headers=headers)
    thread.join()
    assert answer.get_json()["status"] == "COMPLETED"
    assert answer.headers["Preference-Applied"] == "wait=30" and "Prefer" in answer.headers["Vary"]


def test_submission_can_wait_for_the_end_of_its_batch(web: Flask) -> None:
    thread = end_soon(web)
    body = batched(web, "?wait=30")
    thread.join()
    assert (body["status"], body["progress"], body["counts"]["COMPLETED"]) == ("COMPLETED", 1.0, 3)
    assert body["message"] == "3 transcription tasks have queued"


def test_wait_ends_after_its_seconds(web: Flask) -> None:
    identifier = batched(web)["identifier"]
    begun = time.monotonic()
    assert follow(web, identifier, "?wait=1")["status"] == "QUEUED"
    assert 0.9 < time.monotonic() - begun < 10
    refused(web.test_client().get(f"/batch/{identifier}?wait=soon"), 422, "wait")
    refused(web.test_client().get(f"/batch/{identifier}?partial=true"), 422, "partial")


# --- results ---


@pytest.mark.parametrize("form", ["json", "txt", "srt", "vtt", "tsv", "ctm"])
def test_results_are_a_zip_named_after_the_recordings(anywhere: Flask, form: str) -> None:
    identifier = batched(anywhere)["identifier"]
    completed(RESULT), completed(RESULT), completed(RESULT)
    files = unpack(anywhere, identifier, f"?format={form}")
    assert list(files) == [f"monday.{form}", f"tuesday.{form}", f"monday (2).{form}"]
    first = anywhere.test_client().get(f"/task/{rows()[0].uuid}/result?format={form}")
    assert files[f"monday.{form}"] == first.text and "grüß" in first.text


def test_note_says_why_results_are_missing(anywhere: Flask) -> None:
    identifier = batched(anywhere, names=["a.wav", "not completed.mp3", "c.wav"])["identifier"]
    Task.update(file_name="c\nd.wav").where(Task.file_name == "c.wav").execute()
    fail_next()
    completed(RESULT)
    last = claimed()
    tasks.cancel(last.uuid)
    files = unpack(anywhere, identifier, "?format=txt")
    assert set(files) == {NOTE, "not completed (2).txt"}
    first, second = files[NOTE].splitlines()
    assert first.startswith("a.wav (task ") and first.endswith(": failed (no_audio): There is no sound in it.")
    assert second == f"c d.wav (task {last.uuid}): was cancelled"


def test_results_of_an_unfinished_batch_are_409_unless_asked_for(anywhere: Flask) -> None:
    identifier = batched(anywhere)["identifier"]
    completed(RESULT), claimed()
    answer = anywhere.test_client().get(f"/batch/{identifier}/results")
    assert "2 of 3 tasks have not ended" in refused(answer, 409)["message"]
    assert answer.headers["Retry-After"] == "2"
    files = unpack(anywhere, identifier, "?partial=true")
    assert set(files) == {"monday.json", NOTE} and json.loads(files["monday.json"]) == json.loads(RESULT)
    assert "(IN_PROGRESS)" in files[NOTE] and "(QUEUED)" in files[NOTE]


def test_result_deleted_while_the_zip_is_sent_is_noted(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = batched(web)["identifier"]
    completed(RESULT), completed(RESULT), completed(RESULT)
    read = views.read_result_file

    def deleting(task: Task, form: str, choices: Any) -> Any:
        if task.file_name.startswith("tuesday"):
            tasks.delete(task.uuid)
        return read(task, form, choices)

    monkeypatch.setattr(views, "read_result_file", deleting)
    files = unpack(web, identifier)
    assert set(files) == {"monday.json", "monday (2).json", NOTE} and "was deleted" in files[NOTE]


@pytest.mark.parametrize("query", ["format=doc", "format=srt&format=vtt", "fmt=srt", "partial=maybe"])
def test_bad_parameter_of_results_is_422(web: Flask, query: str) -> None:
    identifier = batched(web)["identifier"]
    refused(web.test_client().get(f"/batch/{identifier}/results?{query}"), 422, query.split("=")[0])


def test_format_must_suit_the_kind_of_task(web: Flask) -> None:
    identifier = batched(web, "?task_type=vad")["identifier"]
    refused(web.test_client().get(f"/batch/{identifier}/results?format=srt"), 422, "format")
    for _ in NAMES:
        completed('[{"start": 0, "end": 1}]')
    assert len(unpack(web, identifier, "?format=tsv")) == 3


def test_missing_speaker_turns_are_noted_or_refused(web: Flask) -> None:
    undiarized = batched(web)["identifier"]
    refused(web.test_client().get(f"/batch/{undiarized}/results?format=rttm&partial=true"), 422, "format")
    web.test_client().delete(f"/batch/{undiarized}")
    identifier = batched(web, "?is_diarize=true")["identifier"]
    completed(RESULT), completed(RESULT)  # their diarization failed
    assert tasks.complete(claimed(), "json", RESULT, [], 0.5, speaker_turns='[[0.5, 1.0, "SPEAKER_00"]]')
    files = unpack(web, identifier, "?format=rttm")
    assert set(files) == {NOTE, "monday.rttm"} and files["monday.rttm"].count("SPEAKER_00") == 1
    assert files[NOTE].count("no speaker turns") == 2


def test_choices_hold_for_all_files_of_a_batch(web: Flask) -> None:
    identifier = batched(web)["identifier"]
    completed(RESULT), completed(RESULT), completed(RESULT)
    files = unpack(web, identifier, "?format=qda&stamps=f4")
    assert list(files) == ["monday.qda.txt", "tuesday.qda.txt", "monday (2).qda.txt"]
    assert set(files.values()) == {"grüß dich #00:00:01-2#\n"}
    refused(web.test_client().get(f"/batch/{identifier}/results?format=srt&stamps=f4"), 422, "stamps")


def test_names_differ_on_every_file_system() -> None:
    names = UniqueNames()
    taken = [names.take(name) for name in ("A.srt", "a.srt", "a (2).srt", "é.srt", "é.srt")]
    assert taken == ["A.srt", "a (2).srt", "a (2) (2).srt", "é.srt", "é (2).srt"]


# --- cancelling and deleting ---


def test_all_unfinished_tasks_are_cancelled_at_once(anywhere: Flask) -> None:
    other = submitted(anywhere)
    claimed()
    identifier = batched(anywhere)["identifier"]
    done, running = completed(RESULT), claimed()
    client = anywhere.test_client()
    answer = client.post(f"/batch/{identifier}/cancel")
    assert answer.status_code == 202
    assert answer.get_json() == {"identifier": identifier, "cancelled": 2, "message": "2 tasks are cancelled"}
    assert [line["status"] for line in follow(anywhere, identifier)["tasks"]] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert not tasks.complete(running, "json", "[]", [], 0.5) and row(done).status == "COMPLETED"
    assert row(running.uuid).holder is None and row(running.uuid).duration is not None
    assert row(other).status == "IN_PROGRESS"
    refused(client.post(f"/batch/{identifier}/cancel"), 409)


def test_deleted_batch_leaves_nothing(anywhere: Flask) -> None:
    other = submitted(anywhere)
    identifier = batched(anywhere)["identifier"]
    claimed()
    done = completed(RESULT)
    client = anywhere.test_client()
    answer = client.delete(f"/batch/{identifier}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert [each.uuid for each in rows()] == [other] and stored_result(done) is None
    assert kept(anywhere) == [other, f"{other}/source"]
    refused(client.get(f"/batch/{identifier}"), 404)
    refused(client.delete(f"/batch/{identifier}"), 404)


def test_batch_goes_with_its_last_task(web: Flask) -> None:
    body = batched(web, names=NAMES[:2])
    client, (first, second) = web.test_client(), (line["identifier"] for line in body["tasks"])
    assert client.delete(f"/task/{first}").status_code == 204
    assert follow(web, body["identifier"])["total"] == 1
    assert client.delete(f"/task/{second}").status_code == 204
    refused(client.get(f"/batch/{body['identifier']}"), 404)


OPERATIONS = [("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_unknown_batch_is_404(anywhere: Flask, method: str, path: str) -> None:
    task = submitted(anywhere)  # is not a batch
    for identifier in (str(uuid.uuid4()), task, "%00", "x" * 5000):
        refused(anywhere.test_client().open(f"/batch/{identifier}{path}", method=method), 404)
    assert len(rows()) == 1


def test_batch_of_another_client_is_404(web: Flask) -> None:
    sender: list[int | None] = [1]

    @web.before_request
    def identify() -> None:
        g.owner = sender[0]

    identifier = batched(web)["identifier"]
    assert {each.owner for each in rows()} == {1}
    sender[0] = 2
    unknown = refused(web.test_client().get(f"/batch/{uuid.uuid4()}"), 404)
    for method, path in OPERATIONS:
        assert refused(web.test_client().open(f"/batch/{identifier}{path}", method=method), 404) == unknown
    assert batched(web, "?reuse=true")["identifier"] != identifier
    sender[0] = 1
    assert follow(web, identifier)["counts"]["QUEUED"] == 3
