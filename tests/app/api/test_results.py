"""GET /task/<identifier>/result: the result file, its type and name, or the reason why there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from werkzeug.exceptions import Gone
from werkzeug.http import parse_options_header

from app.api.lookup import require_files
from app.core.db import retention, tasks
from tests.app.posting import refused, submitted
from tests.app.rows import claimed, completed
from tests.service import ROOT

TYPES = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "textgrid": "text/plain; charset=utf-8",
    "eaf": "application/xml; charset=utf-8",
    "rttm": "text/plain; charset=utf-8",
    "ctm": "text/plain; charset=utf-8",
    "audacity": "text/plain; charset=utf-8",
    "qda": "text/plain; charset=utf-8",
    "nvivo": "text/plain; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
EXTENSIONS = {"textgrid": "TextGrid", "audacity": "labels.txt", "qda": "qda.txt", "nvivo": "nvivo.txt"}
WORDS = [{"word": "grüß", "start": 0.5, "end": 0.8, "speaker": "SPEAKER_00"}]
RESULT = [{"start": 0.5, "end": 1.25, "text": "grüß 字 <dich>", "words": WORDS, "speaker": "SPEAKER_00"}]


TURNS = '[[0.5, 1.25, "SPEAKER_00"], [1.0, 1.5, "SPEAKER_01"]]'


def finished(web: Flask, result: Any = RESULT, **form: Any) -> str:
    identifier = submitted(web, "?is_diarize=true", **form)
    text = json.dumps(result, ensure_ascii=False)
    assert tasks.complete(claimed(), "json", text, [], 0.5, speaker_turns=TURNS, audio_duration=2.0)
    return identifier


@pytest.mark.parametrize("form", TYPES)
def test_result_is_a_file_with_its_type_and_the_recordings_name(anywhere: Flask, form: str) -> None:
    identifier = finished(anywhere, name="interview.mp3")
    answer = anywhere.test_client().get(f"/task/{identifier}/result?format={form}")
    assert (answer.status_code, answer.content_type) == (200, TYPES[form])
    assert answer.headers["Content-Disposition"] == f"attachment; filename=interview.{EXTENSIONS.get(form, form)}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content_length == len(answer.data)
    if form == "docx":
        with ZipFile(BytesIO(answer.data)) as parts:
            assert "grüß" in parts.read("word/document.xml").decode()
    elif form != "rttm":
        assert "grüß" in answer.text
    if form == "json":
        assert json.loads(answer.text) == RESULT


def test_json_is_the_default_and_a_slash_makes_no_difference(web: Flask) -> None:
    identifier = finished(web)
    for path in ("result", "result/", "result/?format=json"):
        assert web.test_client().get(f"/task/{identifier}/{path}").get_json() == RESULT


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("interview.final.mp3", "interview.final.srt"),
        ("../../etc/passwd", "passwd.srt"),
        ("C:\\Users\\me\\talk.wav", "talk.srt"),
        ("Grüße 字.wav", "Grüße 字.srt"),
        ('a"b;c.wav', "a_b;c.srt"),
        ("\u202egpj.wav", "gpj.srt"),
        ("a\x07b\x7f.wav", "ab.srt"),
        (".wav", "wav.srt"),
        ("..", None),
        ("", None),
        ("/", None),
        ("字" * 300 + ".wav", "字" * 60 + ".srt"),
    ],
    ids=lambda value: str(value).encode("ascii", "replace").decode()[:20],
)
def test_label_becomes_a_safe_file_name(web: Flask, label: str, name: str | None) -> None:
    identifier = submitted(web)
    completed()
    tasks.Task.update(file_name=label).execute()
    header = web.test_client().get(f"/task/{identifier}/result?format=srt").headers["Content-Disposition"]
    kind, options = parse_options_header(header)
    assert (kind, options["filename"]) == ("attachment", name or f"{identifier}.srt")
    assert header.isascii() and "\r" not in header and "\n" not in header


@pytest.mark.parametrize("label", ["a\r\nSet-Cookie: x=1.wav", 'x"; filename="evil.html', "%0d%0aX: 1", "a\0b.wav"])
def test_label_adds_no_header(web: Flask, label: str) -> None:
    identifier = submitted(web)
    completed()
    tasks.Task.update(file_name=label).execute()
    answer = web.test_client().get(f"/task/{identifier}/result?format=srt")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers and "X" not in answer.headers
    assert parse_options_header(answer.headers["Content-Disposition"])[1]["filename"].endswith(".srt")


def test_result_of_an_unfinished_task_is_409_with_retry_after(anywhere: Flask) -> None:
    submitted(anywhere)
    identifier = submitted(anywhere)
    for word, seconds in (("QUEUED", "2"), ("IN_PROGRESS", "1")):
        answer = anywhere.test_client().get(f"/task/{identifier}/result?format=srt")
        assert word in refused(answer, 409)["message"] and answer.headers["Retry-After"] == seconds
        if word == "QUEUED":
            claimed(), claimed()


def test_ended_task_without_a_result_says_why(anywhere: Flask) -> None:
    failed, cancelled = submitted(anywhere), submitted(anywhere)
    tasks.fail(claimed(), "no_audio", "There is no sound in it.", [], None)
    tasks.cancel(cancelled)
    for identifier, words in ((failed, "There is no sound in it."), (cancelled, "was cancelled")):
        answer = anywhere.test_client().get(f"/task/{identifier}/result")
        assert words in refused(answer, 409)["message"] and "Retry-After" not in answer.headers


def test_result_of_an_unknown_task_is_404(anywhere: Flask) -> None:
    for identifier in (str(uuid.uuid4()), "%00", "x" * 5000):
        refused(anywhere.test_client().get(f"/task/{identifier}/result?format=srt"), 404)


@pytest.mark.parametrize("query", ["format=doc", "format=SRT", "format=%ff", "format=srt&format=vtt", "fmt=srt"])
def test_unknown_format_is_422(web: Flask, query: str) -> None:
    identifier = finished(web)
    field = query.split("=")[0]
    refused(web.test_client().get(f"/task/{identifier}/result?{query}"), 422, field)


def test_empty_format_is_json(web: Flask) -> None:
    answer = web.test_client().get(f"/task/{finished(web)}/result?format=&_=1700000000000")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")


def test_unsuitable_format_is_422_and_names_the_suitable_ones(web: Flask) -> None:
    language = '{"language_code": "de", "language": "german", "confidence": 0.9}'
    for kind, suits, result in (
        ("vad", {"json", "tsv", "textgrid", "eaf", "rttm", "audacity"}, '[{"start": 0, "end": 1}]'),
        ("bgm-separation", {"json"}, "{}"),
        ("alignment", set(TYPES) - {"rttm"}, "[]"),
        ("detect_language", {"json", "txt"}, language),
    ):
        tasks.submit(kind, kind, {}, "a.wav", [])
        completed(result)
        for form in TYPES:
            answer = web.test_client().get(f"/task/{kind}/result?format={form}")
            if form in suits:
                assert answer.status_code == 200
            else:
                (say,) = refused(answer, 422, "format")["errors"]["format"]
                assert all(name in say for name in suits)


def test_purged_files_are_gone_and_the_result_stays(anywhere: Flask) -> None:
    identifier = finished(anywhere)
    assert retention.mark_purged(identifier)
    row = tasks.get(identifier)
    assert row is not None
    with pytest.raises(Gone, match=r"removed at \d{4}-\d\d-\d\dT[\d:.]{12}Z"):
        require_files(row)
    assert anywhere.test_client().get(f"/task/{identifier}/result").get_json() == RESULT


MEASURE = """
import json, resource, sys
from app.formats import list_writers
from app.formats.source import Source
words = [{"word": "monday", "start": n * 0.3, "end": n * 0.3 + 0.2, "probability": 0.9, "speaker": "A"} for n in range(12)]
segment = {"id": 0, "text": "monday " * 12, "speaker": "SPEAKER_00", "seek": 0, "tokens": list(range(20)), "words": words}
one = json.dumps(segment | {"start": 0.0, "end": 3.6})
text = "[" + ",".join([one] * 10_000) + "]"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for form in ("srt", "vtt", "txt", "tsv"):
    size = sum(len(piece) for piece in list_writers("transcription")[form](Source(text)))
    assert size > 700_000, (form, size)
print(len(text), 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.slow
def test_rendering_ten_hours_needs_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert size > 8_000_000 and grown < size / 4
