"""A result is rendered once per format; requests after that are served from the database."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from app import formats
from app.api import results as downloads
from app.core.db import connection, renderings, results, tasks
from app.core.db.renderings import Rendering
from app.current import get_settings
from app.formats.source import Source
from tests.app.posting import refused, submitted
from tests.app.rows import completed

FORMATS = ("txt", "srt", "vtt", "tsv")
RESULT = [{"start": 0.5, "end": 1.25, "text": "grüß 字 <dich>", "words": [], "speaker": "SPEAKER_00"}]


def finished(web: Flask) -> str:
    identifier = submitted(web)
    completed(json.dumps(RESULT, ensure_ascii=False))
    return identifier


def downloaded(web: Flask, identifier: str, file_format: str = "srt") -> bytes:
    answer = web.test_client().get(f"/task/{identifier}/result?format={file_format}")
    assert answer.status_code == 200, answer.text
    return answer.data


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that were written, one entry per call of a writer."""
    calls: list[str] = []

    def count(name: str, write: formats.Writer) -> formats.Writer:
        def counted(source: Source) -> Iterator[str] | Iterator[bytes]:
            calls.append(name)
            return write(source)

        return counted

    counting = {name: count(name, write) for name, write in formats.TRANSCRIPT.items()}
    monkeypatch.setitem(formats.WRITERS, "transcription", counting)
    return calls


def test_file_is_rendered_once_for_any_number_of_requests(anywhere: Flask, written: list[str]) -> None:
    identifier = finished(anywhere)
    for file_format in FORMATS:
        first, *others = [downloaded(anywhere, identifier, file_format) for _ in range(3)]
        assert "grüß".encode() in first and set(others) == {first}
    assert written == list(FORMATS)


def test_rendered_file_is_sent_without_reading_the_result(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = finished(web)
    first = downloaded(web, identifier)
    monkeypatch.setattr(results, "get", lambda uuid: pytest.fail("read"))
    assert downloaded(web, identifier) == first


def test_json_is_the_stored_result_and_is_not_stored_again(web: Flask) -> None:
    identifier = finished(web)
    assert json.loads(downloaded(web, identifier, "json")) == RESULT
    assert Rendering.select().count() == 0


def test_file_of_an_older_writer_is_not_served(web: Flask, monkeypatch: pytest.MonkeyPatch, written: list[str]) -> None:
    identifier = finished(web)
    renderings.store(identifier, "srt", formats.VERSION, b"of the older writer")
    assert downloaded(web, identifier) == b"of the older writer"
    monkeypatch.setattr(downloads, "VERSION", formats.VERSION + 1)
    assert "grüß".encode() in downloaded(web, identifier)
    downloaded(web, identifier)
    assert written == ["srt"] and Rendering.select().count() == 1


def test_deleting_a_task_deletes_its_renderings(anywhere: Flask) -> None:
    identifier = finished(anywhere)
    downloaded(anywhere, identifier)
    assert anywhere.test_client().delete(f"/task/{identifier}").status_code == 204
    refused(anywhere.test_client().get(f"/task/{identifier}/result?format=srt"), 404)
    assert Rendering.select().count() == 0


def test_task_deleted_while_it_is_rendered_is_still_sent(
    anywhere: Flask, monkeypatch: pytest.MonkeyPatch, written: list[str]
) -> None:
    identifier = finished(anywhere)
    read = results.get

    def read_and_delete(uuid: str) -> results.Result | None:
        found = read(uuid)
        tasks.delete(uuid)
        return found

    monkeypatch.setattr(results, "get", read_and_delete)
    assert "grüß".encode() in downloaded(anywhere, identifier)
    assert Rendering.select().count() == 0


def test_concurrent_first_requests_both_succeed(anywhere: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = finished(anywhere)
    together = threading.Barrier(2)
    read = renderings.get

    def read_together(*key: object) -> bytes | None:
        found = read(*key)  # type: ignore[arg-type]
        together.wait(30)
        return found

    monkeypatch.setattr(renderings, "get", read_together)
    files: list[bytes] = []

    def download() -> None:
        files.append(downloaded(anywhere, identifier))
        connection.database.close()

    threads = [threading.Thread(target=download) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files) == 2 and files[0] == files[1]
    assert Rendering.select().count() == 1


def test_full_disk_does_not_fail_the_download(web: Flask, written: list[str]) -> None:
    identifier = submitted(web)
    completed(json.dumps(RESULT * 2000))
    (pages,) = connection.database.execute_sql("PRAGMA page_count").fetchone()
    connection.database.execute_sql(f"PRAGMA max_page_count = {pages}")
    first = downloaded(web, identifier)
    assert len(first) > 50_000 and Rendering.select().count() == 0
    connection.database.execute_sql("PRAGMA max_page_count = 1000000")
    assert [downloaded(web, identifier) for _ in range(2)] == [first] * 2
    assert written == ["srt", "srt"]


def test_locked_database_does_not_fail_or_delay_the_download(web: Flask) -> None:
    identifier = finished(web)
    other = sqlite3.connect(get_settings(web).db_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert "grüß".encode() in downloaded(web, identifier)
    assert time.monotonic() - began < 5, "SQLite's usual timeout is 10 s"
    other.execute("ROLLBACK")
    other.close()
