"""stream=true: the text arrives while the task runs, and always to the end."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import peewee
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api.openai import streaming
from app.core.db import tasks, waiters
from app.core.db.tasks import Claim
from tests.app.api.openai.running import (
    DIALOGUE,
    SPOKEN,
    TRANSCRIPTIONS,
    Work,
    ask,
    completes,
    fails,
    make_segment,
    working,
)
from tests.app.conftest import MakeWeb
from tests.app.posting import RECORDING, rows, submitted

TEXT = "Hello and thanks. Grüße!"


def read_events(answer: TestResponse) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-cache", "no")
    blocks = answer.text.split("\n\n")
    assert blocks.pop() == ""
    data = [block.removeprefix("data: ") for block in blocks if not block.startswith(":")]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


def shows(*parts: list[dict[str, Any]], then: Work) -> Work:
    """Show the parts one after another, as a running task does, before the end."""

    def work(claim: Claim) -> None:
        shown = 0
        for part in parts:
            assert tasks.report(claim, "transcribe", 0.5, shown, [json.dumps(segment) for segment in part])
            shown += len(part)
            time.sleep(0.3)
        then(claim)

    return work


def deltas(events: list[Any]) -> list[str]:
    return [event["delta"] for event in events if event != "[DONE]" and event.get("type") == "transcript.text.delta"]


def test_text_arrives_while_the_task_runs(web: Flask) -> None:
    with working(web, shows(SPOKEN[:1], SPOKEN[1:], then=completes(SPOKEN))):
        events = read_events(ask(web, stream="true"))
    assert deltas(events) == ["Hello and thanks.", " Grüße!"]
    done = {
        "type": "transcript.text.done",
        "text": TEXT,
        "usage": {"type": "duration", "seconds": 4},
        "languages": [{"code": "en"}],
    }
    assert events[2:] == [done, "[DONE]"]


@pytest.mark.parametrize(
    "final",
    [
        SPOKEN,
        [make_segment(0, 0.4, "Hello"), make_segment(1, 0.8, "and thanks."), SPOKEN[1]],  # cut anew by alignment
        [make_segment(0, 0.4, "Hello and thanks. Grüße! More.")],
    ],
)
def test_joined_deltas_are_the_final_text(web: Flask, final: list[dict[str, Any]]) -> None:
    with working(web, shows(SPOKEN[:1], then=completes(final))):
        events = read_events(ask(web, stream="true"))
    assert "".join(deltas(events)) == events[-2]["text"]


def test_second_attempt_does_not_repeat_the_text(web: Flask) -> None:
    def requeues(claim: Claim) -> None:
        if row_of(claim).claim_no == 1:
            tasks.report(claim, "transcribe", 0.5, 0, [json.dumps(segment) for segment in SPOKEN])
            time.sleep(0.3)
            tasks.requeue(claim)
        else:
            shows(SPOKEN[:1], SPOKEN[1:], then=completes(SPOKEN))(claim)

    with working(web, requeues):
        events = read_events(ask(web, stream="true"))
    assert deltas(events) == [TEXT]


def row_of(claim: Claim) -> Any:
    return tasks.get(claim.uuid)


def test_dialogue_has_segments_with_speakers(web: Flask) -> None:
    with working(web, shows(DIALOGUE[:1], then=completes(DIALOGUE))):
        events = read_events(ask(web, stream="true", response_format="diarized_json"))
    segments = [event for event in events if event != "[DONE]" and event["type"] == "transcript.text.segment"]
    assert segments[1] == {
        "type": "transcript.text.segment",
        "id": "seg_1",
        "start": 1.0,
        "end": 1.7,
        "text": " Yes, please.",
        "speaker": "B",
    }
    assert [event.get("segment_id") for event in events[:-2:2]] == ["seg_0", "seg_1", "seg_2"]
    assert "".join(deltas(events)) == events[-2]["text"] == "Hello. Yes, please. Thanks."


def test_silence_is_a_stream_without_text(web: Flask) -> None:
    with working(web, completes([], None)):
        events = read_events(ask(web, stream="true"))
    assert (deltas(events), events[-2]["text"], events[-1]) == ([], "", "[DONE]")


def test_failure_ends_the_stream_with_an_error(web: Flask) -> None:
    with working(web, fails("invalid_media", "It is broken.")):
        (event,) = read_events(ask(web, stream="true"))
    error = {"message": "It is broken.", "type": "invalid_request_error", "param": "file", "code": "invalid_media"}
    assert event == {"error": error}


@pytest.mark.parametrize("end", [tasks.cancel, tasks.delete])
def test_cancelled_task_ends_the_stream_with_an_error(web: Flask, end: Any) -> None:
    with working(web, lambda claim: end(claim.uuid) and None):
        (event,) = read_events(ask(web, stream="true"))
    assert event["error"]["code"] == "cancelled"


def test_stream_ends_with_the_longest_wait_and_keeps_the_task(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_wait": 1.0})
    with working(web, None):
        (event,) = read_events(ask(web, stream="true"))
    (row,) = rows()
    assert event["error"]["code"] == "timeout" and row.uuid in event["error"]["message"]
    assert (row.status, row.waited_at) == ("QUEUED", None)


def test_comments_keep_the_connection_alive(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "KEEP_ALIVE_SECONDS", 0.2)
    web = make_web(limits={"max_wait": 1.0})
    with working(web, None):
        assert ask(web, stream="true").text.count(": waiting\n\n") >= 4


def test_stream_renews_its_place_while_it_waits(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[str] = []
    monkeypatch.setattr(streaming, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(waiters, "renew", renewed.append)
    web = make_web(limits={"max_wait": 1.0})
    with working(web, None):
        assert ask(web, stream="true").text
    assert len(renewed) >= 3


def test_failing_database_ends_the_stream_with_an_error(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(uuid: str) -> Any:
        raise peewee.OperationalError("password=secret")

    with working(web, None):
        monkeypatch.setattr(tasks, "get", failing)
        (event,) = read_events(ask(web, stream="true"))
    assert event["error"]["type"] == "server_error" and "secret" not in event["error"]["message"]


@pytest.mark.parametrize("response_format", ["srt", "vtt", "verbose_json"])
def test_row_24_a_stream_is_sent_whenever_it_is_asked_for(speech: Flask, response_format: str) -> None:
    answer = ask(speech, stream="True", response_format=response_format)
    done = read_events(answer)[-2]
    assert done["text"] == TEXT and "a stream consists of text" in done["warnings"][0]
    assert answer.headers["X-Speech-Warnings"] == "1" and answer.headers["X-Speech-Task"] == rows()[0].uuid


def stay(path: str, web: Flask) -> Iterator[bytes]:
    """Begin to read a stream, as a client does that then stays connected."""
    form = {"file": (io.BytesIO(RECORDING), "a.wav"), "stream": "true"}
    client = web.test_client()
    answer = client.post(path, data=form) if path == TRANSCRIPTIONS else client.get(path)
    assert answer.status_code == 200
    chunks = iter(answer.response)
    assert next(chunks)
    yield b""
    answer.close()
    yield b""


@pytest.mark.parametrize("native", [False, True])
def test_stream_holds_a_thread_until_its_client_has_gone(make_web: MakeWeb, native: bool) -> None:
    web = make_web(server={"threads": 4})
    with working(web, None):
        path = f"/task/{submitted(web)}/events" if native else TRANSCRIPTIONS
        client = stay(path, web)
        next(client)
        assert ask(web).status_code == 429
        next(client)  # it leaves in the middle
        budget = web.extensions["speech.waiters"]
        assert budget.take() and not budget.take()


def test_stream_that_is_never_read_gives_its_thread_back(make_web: MakeWeb) -> None:
    web = make_web(server={"threads": 4})
    with working(web, None):
        form = {"file": (io.BytesIO(RECORDING), "a.wav"), "stream": "true"}
        web.test_client().post(TRANSCRIPTIONS, data=form).close()
        assert web.extensions["speech.waiters"].take()


def test_client_that_has_gone_leaves_its_task_to_the_supervisor(
    make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "is_client_gone", lambda environ: True)
    web = make_web()
    with working(web, None):
        assert read_events(ask(web, stream="true")) == []
    assert rows()[0].waited_at is not None


def connect(web: Flask) -> openai.OpenAI:
    """The real SDK, whose requests reach the app without a network."""
    http = httpx2.Client(transport=httpx2.WSGITransport(app=web.wsgi_app))
    return openai.OpenAI(base_url="http://localhost/v1", api_key="none", http_client=http, max_retries=0)


def test_sdk_reads_the_stream(web: Flask) -> None:
    with working(web, shows(SPOKEN[:1], SPOKEN[1:], then=completes(SPOKEN))):
        stream = connect(web).audio.transcriptions.create(
            file=("a.wav", RECORDING), model="gpt-4o-transcribe", stream=True
        )
        events = list(stream)
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert events[-1].text == TEXT


def test_sdk_raises_the_error_of_a_stream(web: Flask) -> None:
    with working(web, fails("no_audio", "There is no sound in it.")):
        stream = connect(web).audio.transcriptions.create(file=("a.wav", RECORDING), model="whisper-1", stream=True)
        with pytest.raises(openai.APIError, match="There is no sound") as raised:
            list(stream)
    assert raised.value.code == "no_audio"
