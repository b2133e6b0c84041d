"""GET /task/<identifier>: the task as JSON, in every state."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest
from flask import Flask

from app.api.lookup import format_time
from app.core.db import results, tasks
from app.core.db.tasks import Task
from app.schemas.task import TaskAnswer
from tests.app.posting import post, refused, submitted
from tests.app.rows import claimed

FACTS = {
    *("identifier", "status", "task_type", "result_type", "result", "task_params", "error", "error_code", "warnings"),
    *("stage", "progress", "duration", "audio_duration", "language", "speaker_embeddings"),
    *("revision", "queue_position", "eta_seconds", "attempt", "webhook", "speaker_names", "speaker_turns"),
    *("created_at", "started_at", "finished_at", "file_name", "files_expire_at", "files_purged_at"),
}


def shown(web: Flask, identifier: str) -> dict[str, Any]:
    answer = web.test_client().get(f"/task/{identifier}")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    body: dict[str, Any] = json.loads(answer.text, parse_constant=pytest.fail)
    assert set(body) == FACTS == set(TaskAnswer().fields)
    return body


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text.removesuffix("Z") + "+00:00")


def test_queued_task_shows_its_position_and_parameters(anywhere: Flask) -> None:
    first, second = submitted(anywhere), submitted(anywhere, "?beam_size=2&num_speakers=2")
    body = shown(anywhere, second)
    assert (body["identifier"], body["status"], body["task_type"]) == (second, "QUEUED", "transcription")
    assert body["task_params"]["beam_size"] == 2 and body["task_params"]["word_timestamps"] is True
    assert [warning.split()[0] for warning in body["warnings"]] == ["num_speakers"]
    assert (shown(anywhere, first)["queue_position"], body["queue_position"]) == (1, 2)
    assert body["progress"] == 0.0
    nothing_yet = ("result", "result_type", "error", "error_code", "stage", "duration", "audio_duration", "language")
    unknown = {body[name] for name in (*nothing_yet, "speaker_embeddings", "revision", "started_at", "finished_at")}
    assert unknown == {None}


def test_times_are_utc_in_iso_8601(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    tasks.complete(claimed(), "json", "[]", [], 0.1)
    body = shown(anywhere, identifier)
    times = [moment(body[name]) for name in ("created_at", "started_at", "finished_at")]
    assert times == sorted(times)
    assert abs((datetime.now(timezone.utc) - times[0]).total_seconds()) < 60


def test_running_task_shows_stage_and_progress(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    tasks.report(claimed(), "transcribe", 0.4, language="de", audio_duration=12.5)
    body = shown(anywhere, identifier)
    assert (body["status"], body["stage"], body["progress"]) == ("IN_PROGRESS", "transcribe", 0.4)
    assert (body["language"], body["audio_duration"], body["queue_position"]) == ("de", 12.5, None)


def test_completed_task_shows_its_result_unchanged(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    result = [{"id": 0, "start": 0.0, "end": 1.5, "text": "“ä” 字 \u2028 </script>", "words": []}] * 2000
    tasks.complete(claimed(), "json", json.dumps(result, ensure_ascii=False), ["w"], 1.25, language="en")
    body = shown(anywhere, identifier)
    assert body["result"] == result
    assert (body["status"], body["result_type"], body["progress"]) == ("COMPLETED", "json", 1.0)
    assert (body["duration"], body["warnings"], body["error"]) == (1.25, ["w"], None)


def test_completed_task_shows_its_speaker_embeddings(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    tasks.complete(claimed(), "json", "[]", [], 0.1, speaker_embeddings='{"SPEAKER_00": [0.25, -1.0]}')
    assert shown(anywhere, identifier)["speaker_embeddings"] == {"SPEAKER_00": [0.25, -1.0]}


def test_task_deleted_while_it_is_read_is_404(anywhere: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = submitted(anywhere)
    tasks.complete(claimed(), "json", "[]", [], 0.1)
    read = results.get
    monkeypatch.setattr(results, "get", lambda uuid: tasks.delete(uuid) and read(uuid))
    refused(anywhere.test_client().get(f"/task/{identifier}"), 404)


def test_result_of_silence_is_an_empty_list(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    tasks.complete(claimed(), "json", "[]", [], 0.1)
    assert shown(anywhere, identifier)["result"] == []


def test_failed_task_says_why(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    tasks.fail(claimed(), "no_audio", "There is no sound in it.", [], None)
    body = shown(anywhere, identifier)
    assert (body["status"], body["error_code"], body["error"]) == ("FAILED", "no_audio", "There is no sound in it.")
    assert (body["result"], body["duration"]) == (None, None)
    assert body["finished_at"] is not None


def test_trailing_slash_of_a_task_makes_no_difference(web: Flask) -> None:
    identifier = submitted(web)
    answer = web.test_client().get(f"/task/{identifier}/")
    assert answer.status_code == 200 and answer.get_json()["identifier"] == identifier


@pytest.mark.parametrize(
    "identifier",
    [
        "0b7c3d1e-6a52-4f0e-9d3c-2f6f0c6a4b11",
        "1",
        "x" * 10_000,
        "%00",
        "%ff",
        "%ED%A0%80",
        "..%2f",
        "a%20b",
        "' OR 1=1 --",
        "null",
        "%0d%0a",
    ],
    ids=lambda identifier: identifier[:12],
)
def test_unknown_identifier_is_404(anywhere: Flask, identifier: str) -> None:
    submitted(anywhere)
    refused(anywhere.test_client().get(f"/task/{identifier}"), 404)


def test_identifier_is_matched_exactly(anywhere: Flask) -> None:
    identifier = submitted(anywhere)
    refused(anywhere.test_client().get(f"/task/{identifier[:-1]}"), 404)
    refused(anywhere.test_client().get(f"/task/{identifier}%20"), 404)


def test_identifiers_are_random(web: Flask) -> None:
    identifiers = {uuid.UUID(submitted(web)) for _ in range(5)}
    assert {identifier.version for identifier in identifiers} == {4} and len(identifiers) == 5


def test_any_label_is_stored_on_both_databases(anywhere: Flask) -> None:
    assert post(anywhere, name="a\0b\u202e字.wav").status_code == 201
    assert Task.get().file_name == "ab\u202e字.wav"


def test_times_are_formatted_with_milliseconds() -> None:
    assert [format_time(seconds) for seconds in (None, 0.0, 1_795_355_999.9994)] == [
        None,
        "1970-01-01T00:00:00.000Z",
        "2026-11-22T13:59:59.999Z",
    ]
