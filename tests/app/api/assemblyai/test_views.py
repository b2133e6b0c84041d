"""Transcripts are shown, listed, searched, rendered and deleted."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.core.db import connection, tasks
from tests.app.api.assemblyai.speaking import URL, complete, created, fetched, refused, segment, uploaded, word
from tests.app.posting import kept, post, rows, submitted
from tests.app.rows import claimed

PARTS = ("sentences", "paragraphs", "srt", "vtt", "word-search?words=a")


@pytest.fixture
def done(web: Flask) -> str:
    identifier = created(web, audio_url=uploaded(web), speaker_labels=True)
    complete()
    return identifier


def walk(value: Any) -> Any:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(each)


def test_waiting_and_running_transcripts_have_no_result(anywhere: Flask) -> None:
    identifier = created(anywhere, language_code="de")
    shown = fetched(anywhere, identifier)
    assert (shown["status"], shown["audio_url"], shown["language_code"]) == ("queued", URL, "de")
    with connection.database.connection_context():
        tasks.Task.update(source_url=None).execute()
        claimed()
    assert fetched(anywhere, identifier)["status"] == "processing"
    assert not {"text", "words", "utterances", "error", "metadata"} & set(fetched(anywhere, identifier))
    assert {type(each) for each in walk(shown)} == {dict, str, bool}


def test_completed_transcript_has_no_null(web: Flask, done: str) -> None:
    assert None not in list(walk(fetched(web, done)))


def test_transcript_without_speakers_has_no_utterances(web: Flask) -> None:
    identifier = created(web, audio_url=uploaded(web))
    complete([segment("a b", 0.0, 1.0)])
    shown = fetched(web, identifier)
    assert "utterances" not in shown and "speaker" not in shown["words"][0]


def test_answer_names_the_native_task(web: Flask, done: str) -> None:
    answer = web.test_client().get(f"/v2/transcript/{done}/")
    assert answer.headers["X-Speech-Task"] == answer.headers["x-request-id"] == done
    assert "X-Speech-Warnings" not in answer.headers
    assert web.test_client().get(f"/task/{done}").get_json()["status"] == "COMPLETED"


def test_cancelled_transcript_is_an_error(web: Flask) -> None:
    identifier = created(web)
    web.test_client().post(f"/task/{identifier}/cancel")
    shown = fetched(web, identifier)
    assert (shown["status"], shown["error"]) == ("error", "The transcript was cancelled.")


def test_native_transcription_is_a_transcript_and_other_tasks_are_not(web: Flask) -> None:
    assert fetched(web, submitted(web))["status"] == "queued"
    other = post(web, path="/vad").get_json()["identifier"]
    refused(web.test_client().get(f"/v2/transcript/{other}"), 404)
    assert fetched(web, "")["transcripts"] == []  # only what came by this contract


@pytest.mark.parametrize("identifier", ["none", "%00", "../task", "x" * 500, "86bf091c-17e9-4293-9839-95f53f70653e"])
def test_unknown_transcript_is_not_found(web: Flask, identifier: str) -> None:
    for part in ("", *(f"/{part}" for part in PARTS)):
        refused(web.test_client().get(f"/v2/transcript/{identifier}{part}"), 404)


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_an_unfinished_transcript_are_refused(web: Flask, part: str) -> None:
    assert "'queued'" in refused(web.test_client().get(f"/v2/transcript/{created(web)}/{part}"))


def test_deleted_transcript_leaves_neither_row_nor_files_nor_upload(web: Flask, done: str) -> None:
    answer = web.test_client().delete(f"/v2/transcript/{done}")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "completed")
    assert rows() == [] and kept(web) == ["uploads"]
    refused(web.test_client().delete(f"/v2/transcript/{done}"), 404)


def test_subtitles_have_no_speakers_and_a_charset(web: Flask, done: str) -> None:
    srt, vtt = (web.test_client().get(f"/v2/transcript/{done}/{kind}") for kind in ("srt", "vtt"))
    assert srt.content_type == "text/plain; charset=utf-8" and vtt.content_type == "text/vtt; charset=utf-8"
    assert srt.text.startswith("1\n00:00:00,400 --> 00:00:03,000\nHello, Dr. Grün. How are you?\n\n2\n")
    assert "00:00:09.000 --> 00:00:10.000\nHello and thanks.\n" in vtt.text
    assert "SPEAKER" not in srt.text + vtt.text and "<v" not in vtt.text


@pytest.mark.parametrize("chars", [1, 8, 20, 1000])
def test_captions_keep_to_the_length_that_is_asked_for(web: Flask, done: str, chars: int) -> None:
    srt = web.test_client().get(f"/v2/transcript/{done}/srt?chars_per_caption={chars}").text
    captions = re.findall(r"-->.*\n(.*)\n", srt)
    assert " ".join(captions) == "Hello, Dr. Grün. How are you? Hello and thanks."
    assert all(len(caption) <= chars or " " not in caption for caption in captions)
    assert len(captions) == {1: 9, 8: 8, 20: 3, 1000: 2}[chars]


@pytest.mark.parametrize("chars", ["0", "-1", "x", "1.5", "9" * 400, "1001", "٣"])
def test_bad_length_of_captions_is_refused(web: Flask, done: str, chars: str) -> None:
    answer = web.test_client().get(f"/v2/transcript/{done}/srt", query_string={"chars_per_caption": chars})
    assert "chars_per_caption" in refused(answer)


def test_markup_is_escaped(web: Flask) -> None:
    identifier = created(web, audio_url=uploaded(web))
    complete([segment("<i>a</i> & b", 0.0, 1.0)])
    vtt = web.test_client().get(f"/v2/transcript/{identifier}/vtt?chars_per_caption=50").text
    assert "&lt;i&gt;a&lt;/i&gt; &amp; b" in vtt
    assert "<i>" not in web.test_client().get(f"/v2/transcript/{identifier}/srt").text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("hello", {"hello": [0, 6]}),
        ("HOW ARE", {"HOW ARE": [3]}),
        ("dr,grün.", {"dr": [1], "grün.": [2]}),
        ("are you hello", {"are you hello": [4]}),
        ("nothing,thanks,thanks", {"thanks": [8]}),
        ("!!!", {}),
    ],
)
def test_words_and_phrases_are_found(web: Flask, done: str, words: str, found: dict[str, list[int]]) -> None:
    answer = fetched(web, f"{done}/word-search?words={words}")
    assert {match["text"]: match["indexes"] for match in answer["matches"]} == found
    assert answer["total_count"] == sum(len(indexes) for indexes in found.values())


@pytest.mark.parametrize("words", ["", ",", ",".join(map(str, range(101)))])
def test_search_without_words_is_refused(web: Flask, done: str, words: str) -> None:
    assert "words" in refused(web.test_client().get(f"/v2/transcript/{done}/word-search?words={words}"))


def test_long_pause_ends_a_sentence_and_a_paragraph(web: Flask) -> None:
    identifier = created(web, audio_url=uploaded(web))
    said = [word(text, start, start + 0.2) for text, start in (("a", 0.0), ("b", 0.3), ("c", 2.5), ("d", 9.0))]
    complete([segment("a b c d", 0.0, 10.0, *said)])
    assert [each["text"] for each in fetched(web, f"{identifier}/sentences")["sentences"]] == ["a b", "c", "d"]
    assert [each["text"] for each in fetched(web, f"{identifier}/paragraphs")["paragraphs"]] == ["a b c", "d"]


# --- lists ---


@pytest.fixture
def five(web: Flask) -> list[str]:
    """Five transcripts, the oldest first; the second is cancelled."""
    made = [created(web, language_code=code) for code in ("en", "de", "fr", "es", "it")]
    web.test_client().post(f"/task/{made[1]}/cancel")
    return made


def listed(web: Flask, query: str) -> list[str]:
    return [item["id"] for item in fetched(web, query)["transcripts"]]


def test_pages_lead_to_all_transcripts_in_both_directions(anywhere: Flask) -> None:
    web = anywhere
    five = [created(web, language_code=code) for code in ("en", "de", "fr", "es", "it")]
    page = fetched(web, "?limit=2")
    seen = [page]
    while page["page_details"]["prev_url"]:
        url = urlsplit(page["page_details"]["prev_url"])
        page = fetched(web, f"?{url.query}")
        seen.append(page)
    assert [[item["id"] for item in page["transcripts"]] for page in seen] == [five[:2:-1], five[2:0:-1], five[:1]]
    url = urlsplit(page["page_details"]["next_url"])
    assert listed(web, f"?{url.query}") == five[2:0:-1]
    assert seen[0]["page_details"]["next_url"] is None
    assert seen[0]["page_details"]["result_count"] == 2 and seen[0]["page_details"]["limit"] == 2


def test_list_is_filtered(web: Flask, five: list[str]) -> None:
    assert listed(web, "?status=error") == [five[1]] and len(listed(web, "?status=queued")) == 4
    assert listed(web, "?status=completed") == []
    assert listed(web, f"?after_id={five[2]}") == five[:2:-1] and listed(web, f"?before_id={five[1]}") == [five[0]]
    assert listed(web, f"?after_id={five[0]}&before_id={five[3]}") == five[2:0:-1]
    day = fetched(web, "")["transcripts"][0]["created"][:10]
    assert len(listed(web, f"?created_on={day}")) == 5 and listed(web, "?created_on=2001-01-01") == []
    assert listed(web, "?throttled_only=true") == [] and len(listed(web, "?unheard_of=1&limit=")) == 5


def test_listed_transcript_names_its_address(web: Flask, five: list[str]) -> None:
    cancelled = fetched(web, "?status=error")["transcripts"][0]
    assert cancelled["resource_url"] == f"http://localhost/v2/transcript/{five[1]}"
    assert cancelled["audio_url"] == URL and cancelled["error"] and cancelled["completed"].endswith("Z")


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=x", f"limit={'9' * 400}", "limit=1.5", "status=QUEUED", "created_on=x"),
        *("created_on=2026-13-01", "created_on=9999-12-31", "created_on=26-1-1"),
    ],
)
def test_bad_filter_is_refused_by_name(web: Flask, query: str) -> None:
    assert query.partition("=")[0] in refused(web.test_client().get(f"/v2/transcript?{query}"))


@pytest.mark.parametrize("query", ["before_id=none", "after_id=86bf091c-17e9-4293-9839-95f53f70653e"])
def test_page_beside_an_unknown_transcript_is_not_found(web: Flask, query: str) -> None:
    refused(web.test_client().get(f"/v2/transcript?{query}"), 404)


@pytest.mark.parametrize(
    "query", [f"{name}={value}" for name in ("before_id", "throttled_only", "x") for value in ("%00", "%ff")]
)
def test_broken_characters_in_the_query_are_refused(web: Flask, query: str) -> None:
    refused(web.test_client().get(f"/v2/transcript?{query}"))


def test_document_describes_every_path(web: Flask) -> None:
    document = web.test_client().get("/openapi/assemblyai.json").get_json()
    validate(document)
    rules = [rule for rule in web.url_map.iter_rules() if rule.endpoint.startswith("assemblyai.")]
    served = {(re.sub("<.*?>", "{transcript_id}", rule.rule), m) for rule in rules for m in rule.methods or ()}
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert described == {(path, method) for path, method in served if method not in ("HEAD", "OPTIONS")}


def test_every_answer_keeps_to_the_document(web: Flask, done: str) -> None:
    document = web.test_client().get("/openapi/assemblyai.json").get_json()
    for path, name in (
        (done, "Transcript"),
        (f"{done}/sentences", "Sentences"),
        (f"{done}/paragraphs", "Paragraphs"),
        (f"{done}/word-search?words=hello", "Matches"),
        ("", "Page"),
    ):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.validate(fetched(web, path), schema)
    properties = document["components"]["schemas"]["Transcript"]["properties"]
    assert set(fetched(web, done)) <= set(properties)
