"""Diarize a conversation of three speakers over HTTP."""

from __future__ import annotations

import requests

from tests.service import MINI, Service

CONVERSATION = MINI / "samples" / "voices3.ogg"


def test_three_speakers_are_distinguished(service: Service) -> None:
    done = service.finished(service.submit(CONVERSATION, is_diarize="true", speaker_embeddings="true"))
    assert (done["status"], done["warnings"]) == ("COMPLETED", [])
    speakers = {segment["speaker"] for segment in done["result"]}
    assert len(speakers) == 3 and set(done["speaker_embeddings"]) == speakers
    assert all(word["speaker"] in speakers for segment in done["result"] for word in segment["words"])
    assert done["task_params"]["is_diarize"] is True
    turns = done["speaker_turns"]
    assert turns == sorted(turns) and {label for *_, label in turns} == speakers
    assert all(0 <= start < end <= done["audio_duration"] + 1 for start, end, _ in turns)
    rttm = requests.get(f"{service.url}/task/{done['identifier']}/result?format=rttm", timeout=30)
    assert len(rttm.text.splitlines()) == len(turns)


def test_number_of_speakers_can_be_set(service: Service) -> None:
    done = service.finished(service.submit(CONVERSATION, is_diarize="true", num_speakers="2"))
    assert len({segment["speaker"] for segment in done["result"]}) == 2
    assert done["speaker_embeddings"] is None


def test_segments_without_diarization_have_no_speaker(service: Service) -> None:
    done = service.finished(service.submit(num_speakers="2"))
    assert {segment["speaker"] for segment in done["result"]} == {None} and done["speaker_turns"] is None
    assert done["warnings"] == ["num_speakers has no effect: is_diarize is off."]


def test_impossible_numbers_of_speakers_are_refused(service: Service) -> None:
    answer = service.post(params={"is_diarize": "true", "min_speakers": "3", "max_speakers": "2"})
    assert answer.status_code == requests.codes.unprocessable_entity
    assert "min_speakers" in answer.json()["errors"]
