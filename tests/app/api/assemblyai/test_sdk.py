"""The real SDK of AssemblyAI, in process: its pydantic models take our answers."""

from __future__ import annotations

from collections.abc import Iterator

import assemblyai as aai
import httpx
import pytest
from assemblyai.prerecorded.v2 import api
from flask import Flask

from app.core.db import connection, tasks
from tests.app.api.assemblyai.speaking import URL, complete, created
from tests.app.posting import RECORDING
from tests.app.rows import claimed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:assemblyai")


@pytest.fixture
def client(web: Flask) -> Iterator[aai.Client]:
    made = aai.Client(settings=aai.Settings(base_url="http://localhost", api_key="k", polling_interval=0.01))
    transport = httpx.WSGITransport(web)
    made._http_client = httpx.Client(transport=transport, base_url="http://localhost", headers={"authorization": "k"})
    yield made


def test_recording_is_uploaded_and_transcribed(web: Flask, client: aai.Client) -> None:
    config = aai.TranscriptionConfig(speaker_labels=True, language_code="de", speech_model=aai.SpeechModel.best)
    sent = aai.Transcriber(client=client, config=config).submit(RECORDING)
    assert sent.status == aai.TranscriptStatus.queued
    complete(language="de")
    done = sent.wait_for_completion()
    assert (done.status, done.text) == ("completed", "Hello, Dr. Grün. How are you? Hello and thanks.")
    assert done.utterances is not None and done.words is not None
    assert [(each.speaker, each.start, each.end) for each in done.utterances] == [("A", 400, 3000), ("B", 9000, 10000)]
    assert done.utterances[1].text == "Hello and thanks." and len(done.words) == 9
    assert (done.audio_duration, done.confidence) == (10, 0.9)
    assert done.json_response is not None and done.json_response["speech_model_used"] == "mini"
    assert [sentence.text for sentence in done.get_sentences()] == [
        "Hello, Dr. Grün.",
        "How are you?",
        "Hello and thanks.",
    ]
    assert [len(paragraph.words) for paragraph in done.get_paragraphs()] == [6, 3]
    assert "Grün" in done.export_subtitles_srt() and done.export_subtitles_vtt(20).startswith("WEBVTT")
    (match,) = done.word_search(["hello", "nothing"])
    assert (match.count, match.timestamps, match.indexes) == (2, [(400, 720), (9000, 9300)], [0, 6])


def test_failed_task_has_its_error(web: Flask, client: aai.Client) -> None:
    sent = aai.Transcriber(client=client).submit(URL)
    with connection.database.connection_context():
        tasks.Task.update(source_url=None).execute()
        tasks.fail(claimed(), "invalid_media", "The file is no audio or video that can be read.", [], 0.1)
    done = sent.wait_for_completion()
    assert (done.status, done.error) == ("error", "The file is no audio or video that can be read.")


def test_refused_request_shows_our_message(client: aai.Client) -> None:
    config = aai.TranscriptionConfig(redact_pii=True, redact_pii_policies=[aai.PIIRedactionPolicy.person_name])
    with pytest.raises(aai.TranscriptError, match="redact_pii: Is not supported here"):
        aai.Transcriber(client=client, config=config).submit(URL)
    with pytest.raises(aai.TranscriptError, match="body is empty"):
        aai.Transcriber(client=client).submit(b"")


def test_transcripts_are_listed_and_deleted(web: Flask, client: aai.Client) -> None:
    identifiers = [created(web, language_code=code) for code in ("en", "de", "fr")]
    transcriber = aai.Transcriber(client=client)
    page = transcriber.list_transcripts(aai.ListTranscriptParameters(limit=2))
    assert [item.id for item in page.transcripts] == identifiers[:0:-1]
    older = aai.ListTranscriptParameters(limit=2, before_id=page.page_details.before_id_of_prev_url)
    assert [item.id for item in transcriber.list_transcripts(older).transcripts] == identifiers[:1]
    gone = api.delete_transcript(client.http_client, identifiers[0])
    assert (gone.id, gone.audio_url, gone.words) == (identifiers[0], "http://deleted_by_user", None)
    assert len(transcriber.list_transcripts().transcripts) == 2
    with pytest.raises(aai.TranscriptError, match="There is no transcript"):
        api.get_transcript(client.http_client, identifiers[0])


def test_silence_has_neither_words_nor_utterances(web: Flask, client: aai.Client) -> None:
    sent = aai.Transcriber(client=client, config=aai.TranscriptionConfig(speaker_labels=True)).submit(RECORDING)
    complete([], language=None)
    done = sent.wait_for_completion()
    assert (done.status, done.text, done.words, done.utterances, done.confidence) == ("completed", "", [], [], 0.0)
    assert (done.get_sentences(), done.get_paragraphs(), done.export_subtitles_srt()) == ([], [], "")
