"""The real openai SDK against the real service."""

from __future__ import annotations

from typing import Any

import jiwer
import openai
import pytest

from tests.e2e.test_transcription import REFERENCE
from tests.service import SAMPLE, SAMPLES, Service


@pytest.fixture(scope="module")
def client(service: Service) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", timeout=240)


def word_error_rate(text: str) -> float:
    plain = "".join(character for character in text.lower() if character.isalpha() or character == " ")
    return float(jiwer.wer(REFERENCE["text"], plain))


def transcribe(client: openai.OpenAI, **more: Any) -> Any:
    with SAMPLE.open("rb") as file:
        return client.audio.transcriptions.create(file=file, **{"model": "whisper-1", **more})


def test_sdk_transcribes(client: openai.OpenAI, service: Service) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(file=SAMPLE, model="gpt-4o-transcribe", language="en-US")
    answer = raw.parse()
    assert word_error_rate(answer.text) <= 0.15
    assert answer.usage.seconds == 23 and answer.languages[0].code == "en"
    assert service.task(raw.headers["X-Speech-Task"])["status"] == "COMPLETED"


def test_sdk_reads_words_and_subtitles_of_one_task(client: openai.OpenAI) -> None:
    verbose = transcribe(client, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.language == "english" and verbose.duration == pytest.approx(REFERENCE["duration"], abs=0.01)
    assert "".join(segment.text for segment in verbose.segments).strip() == verbose.text
    assert [word.start for word in verbose.words] == sorted(word.start for word in verbose.words)
    assert word_error_rate(" ".join(word.word for word in verbose.words)) <= 0.15
    assert "-->" in transcribe(client, response_format="srt")
    assert transcribe(client, response_format="text") == f"{verbose.text}\n"


def test_sdk_streams_the_text(client: openai.OpenAI) -> None:
    # another temperature, so that the task is a new one
    events = list(transcribe(client, stream=True, extra_body={"beam_size": 2}))
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert word_error_rate(events[-1].text) <= 0.15


def test_sdk_reads_a_dialogue(client: openai.OpenAI) -> None:
    answer = transcribe(
        client, response_format="diarized_json", chunking_strategy="auto", extra_body={"num_speakers": 2}
    )
    assert {segment.speaker for segment in answer.segments} == {"A", "B"}
    assert answer.word_segments[0]["speaker"] == "A"


def test_sdk_translates(client: openai.OpenAI) -> None:
    with (SAMPLES / "german.flac").open("rb") as file:
        answer = client.audio.translations.create(file=file, model="whisper-1", response_format="verbose_json")
    assert answer.language == "english" and answer.duration > 0


def test_sdk_lists_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "whisper-1" in names and "mini" in names
    assert client.models.retrieve("whisper-1").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none/such")


def test_sdk_raises_what_is_wrong_with_the_recording(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.audio.transcriptions.create(file=b"no audio at all", model="whisper-1")
    error = raised.value
    assert (error.code, error.param) == ("invalid_media", "file") and error.request_id
