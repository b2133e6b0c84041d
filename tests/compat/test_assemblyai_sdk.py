"""The real assemblyai SDK against the real service."""

from __future__ import annotations

import assemblyai as aai
import jiwer
import pytest
import requests

from tests.e2e.test_transcription import REFERENCE
from tests.service import SAMPLE, Service

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:assemblyai")


@pytest.fixture(scope="module")
def transcriber(service: Service) -> aai.Transcriber:
    settings = aai.Settings(base_url=service.url, api_key="none", polling_interval=0.2, http_timeout=60)
    return aai.Transcriber(client=aai.Client(settings=settings))


def word_error_rate(text: str) -> float:
    plain = "".join(character for character in text.lower() if character.isalpha() or character == " ")
    return float(jiwer.wer(REFERENCE["text"], plain))


def test_sdk_of_assemblyai_transcribes_a_dialogue(transcriber: aai.Transcriber, service: Service) -> None:
    config = aai.TranscriptionConfig(speaker_labels=True, speakers_expected=2, language_code="en_us")
    done = transcriber.transcribe(str(SAMPLE), config)
    assert done.status == aai.TranscriptStatus.completed, done.error
    assert done.text is not None and done.words is not None and done.utterances is not None
    assert word_error_rate(done.text) <= 0.15
    assert {turn.speaker for turn in done.utterances} == {"A", "B"}
    assert [word.start for word in done.words] == sorted(word.start for word in done.words)
    assert done.audio_duration == round(REFERENCE["duration"])
    captions = done.export_subtitles_srt(chars_per_caption=32)
    assert "-->" in captions and done.export_subtitles_vtt().startswith("WEBVTT")
    assert " ".join(sentence.text for sentence in done.get_sentences()) == done.text
    assert service.task(str(done.id))["status"] == "COMPLETED"
    assert requests.delete(f"{service.url}/v2/transcript/{done.id}", timeout=30).status_code == 200


def test_sdk_of_assemblyai_shows_the_error_of_a_file_without_sound(transcriber: aai.Transcriber) -> None:
    done = transcriber.transcribe(b"no recording" * 100)
    assert done.status == aai.TranscriptStatus.error
    assert done.error is not None and done.error.endswith(".")
