"""Schemathesis sends what the OpenAPI document allows and what it forbids: the answers keep to the document.

The requests depend on SEED and on the document only, so that a run repeats. To search further, raise EXAMPLES or change
SEED.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema

from app.api import preferences
from app.core.db import connection, heartbeats, tasks
from app.core.storage.paths import waveform_path
from app.current import get_settings
from app.formats import MIMETYPES
from app.formats.choices import SUITABLE
from app.schemas.listening import WAVEFORM_EXAMPLE
from app.schemas.speaker_names import is_name
from app.schemas.transcription import TranscriptionParameters
from app.submission.kinds import KINDS
from tests.app.posting import submitted
from tests.app.rows import claimed
from tests.app.separating import finished

SEED = 10
EXAMPLES = 3  # of each operation, in the random phases
PHASES = {"examples", "coverage", "fuzzing", "stateful"}
LEAST_REQUESTS = 1000
CHECKS = {
    "allow_header_conformance",
    "content_type_conformance",
    "negative_data_rejection",
    "not_a_server_error",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "use_after_free",
}
# No bytes violate the format "binary" of a file, but Schemathesis believes that some do.
ANY_BYTES = "in body - violates `format` at /oneOf/0/properties/file"
OTHER_KIND = '"errors":{"identifier":'
IN_QUERY = re.compile(r"parameter `(\w+)` in query - violates")
# A name service that knows every name: OpenAPI cannot say which hosts exist.
ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))


@pytest.fixture
def ready(web: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An app with a worker that is alive, as far as the database says."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [ADDRESS])
    monkeypatch.setattr(heartbeats, "FRESH_SECONDS", 3600.0)
    monkeypatch.setattr(preferences, "LONGEST_WAIT", 0)
    with connection.database.connection_context():
        heartbeats.record_heartbeat("worker", [{"device": "cpu", "state": "idle", "cause": None}])
    logging.disable(logging.INFO)
    yield web
    logging.disable(logging.NOTSET)


def load(web: Flask) -> BaseSchema:
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "workers": 1,
            "cache": {"enabled": False},  # it would make the next run another one
            "continue-on-failure": True,
            "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES, "no-shrink": True},
        }
    )
    return schemathesis.openapi.from_wsgi("/openapi.json", web, config=config)


def has_possible_bounds(context: Any, query: Any) -> bool:
    """Whether min_speakers is not above max_speakers, which OpenAPI cannot express."""
    least, most = ((query or {}).get(name) for name in ("min_speakers", "max_speakers"))
    return not (isinstance(least, int) and isinstance(most, int) and least > most)


@schemathesis.hook("before_call")
def drop_foreign_parameters(context: Any, case: Any, kwargs: Any) -> None:
    """Leave a valid request only the parameters of its kind of task, which OpenAPI cannot express."""
    if not (case.meta and case.meta.generation.mode.is_positive and case.query):
        return
    if case.path in ("/batch", "/task/{identifier}/again"):
        kind = case.query.get("task_type") if case.path == "/batch" else find_kind(case.path_parameters["identifier"])
        known = KINDS[kind].schema().fields.keys() if kind in KINDS else TranscriptionParameters().fields.keys()
        for name in TranscriptionParameters().fields.keys() - known:
            case.query.pop(name, None)


@schemathesis.hook("before_call")
def drop_unsuitable_choices(context: Any, case: Any, kwargs: Any) -> None:
    """Leave a valid request for a file only the choices of its format, which OpenAPI cannot express."""
    if (
        case.path.endswith(("/result", "/results"))
        and case.meta
        and case.meta.generation.mode.is_positive
        and case.query
    ):
        for name, formats in SUITABLE.items():
            if (case.query.get("format") or "json") not in formats:
                case.query.pop(name, None)


@schemathesis.hook("before_call")
def drop_unfit_names(context: Any, case: Any, kwargs: Any) -> None:
    """Leave a valid request only names that match the whole pattern: Schemathesis shortens it to add the lengths."""
    if case.path != "/task/{identifier}" or not (case.meta and case.meta.generation.mode.is_positive):
        return
    names = case.body.get("speaker_names") if isinstance(case.body, dict) else None
    for label in [label for label, name in (names or {}).items() if name is not None and not is_name(name)]:
        del names[label]


def find_kind(identifier: str) -> str | None:
    with connection.database.connection_context() if connection.database.is_closed() else nullcontext():
        row = tasks.get(identifier)
    return row.task_type if row is not None else None


def describe(recorder: Any, case_id: str, check: Any) -> str:
    sent = recorder.interactions[case_id]
    answer = sent.response and f"{sent.response.status_code} {sent.response.content[:300]!r}"
    failure = check.failure_info.failure
    return f"{check.name}: {failure.title}: {failure.message}\n{sent.request.method} {sent.request.uri[:500]}\n{answer}"


def is_false_alarm(failure: str) -> bool:
    """Whether a request was right, although Schemathesis believes that it was not.

    It sends lists, objects and null as an empty parameter, which means the default, and identifiers of any kind of task.
    """
    if "positive_data_acceptance" in failure and OTHER_KIND in failure:
        return True
    sent = IN_QUERY.search(failure)
    return ANY_BYTES in failure or (sent is not None and bool(re.search(rf"[?&]{sent[1]}=(&|\s)", failure)))


@pytest.mark.slow
def test_answers_keep_to_the_document_whatever_is_sent(ready: Flask) -> None:
    schema = load(ready)
    schema.hook("filter_query")(has_possible_bounds)
    failures: list[str] = []
    phases: set[str] = set()
    checks: set[str] = set()
    requests = 0
    for event in from_schema(schema).execute():
        assert not isinstance(event, (events.NonFatalError, events.FatalError)), event
        if isinstance(event, events.ScenarioFinished):
            phases.add(event.phase.value)
            requests += len(event.recorder.interactions)
            for case_id, made in event.recorder.checks.items():
                checks |= {check.name for check in made}
                found = [describe(event.recorder, case_id, check) for check in made if check.failure_info]
                failures += [failure for failure in found if not is_false_alarm(failure)]
    assert failures == []
    assert phases == PHASES and requests > LEAST_REQUESTS, (phases, requests)
    assert checks >= CHECKS, CHECKS - checks


def test_answers_about_finished_tasks_keep_to_the_document(ready: Flask) -> None:
    transcribed = submitted(ready, "?is_diarize=true")
    result = '[{"start": 0, "end": 1, "text": "hello", "words": []}]'
    assert tasks.complete(claimed(), "json", result, [], 0.5, speaker_turns='[[0.0, 1.0, "SPEAKER_00"]]')
    separated = finished(ready)
    schema = load(ready)
    path = waveform_path(get_settings(ready).cache.path, transcribed)
    path.parent.mkdir()
    path.write_text(json.dumps(WAVEFORM_EXAMPLE))
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = [
        ("/task", {}, {"status": "COMPLETED"}),
        ("/task/{identifier}", {"identifier": transcribed}, {}),
        ("/task/{identifier}", {"identifier": separated}, {}),
        *(("/task/{identifier}/result", {"identifier": transcribed}, {"format": name}) for name in MIMETYPES),
        ("/task/file/{identifier}", {"identifier": separated}, {}),
        ("/task/{identifier}/file/{name}", {"identifier": separated, "name": "vocals.wav"}, {}),
        ("/task/{identifier}/recording", {"identifier": transcribed}, {}),
        ("/task/{identifier}/waveform", {"identifier": transcribed}, {}),
        ("/results", {}, {"task": [transcribed, separated], "format": ["json", "srt"]}),
    ]
    for path, names, query in asked:
        case = schema[path]["GET"].Case(path_parameters=names, query=query)
        answer = case.call()
        assert answer.status_code == 200, (path, answer.text)
        case.validate_response(answer)
