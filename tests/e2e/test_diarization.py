"""A conversation of three voices over HTTP: every segment says who speaks."""

from __future__ import annotations

import requests

from tests.service import MINI, Service

CONVERSATION = MINI / "samples" / "voices3.ogg"


def test_three_voices_are_told_apart(service: Service) -> None:
    done = service.finished(service.submit(CONVERSATION, is_diarize="true", speaker_embeddings="true"))
    assert (done["status"], done["warnings"]) == ("COMPLETED", [])
    speakers = {segment["speaker"] for segment in done["result"]}
    assert len(speakers) == 3 and set(done["speaker_embeddings"]) == speakers
    assert all(word["speaker"] in speakers for segment in done["result"] for word in segment["words"])
    assert done["task_params"]["is_diarize"] is True


def test_fewer_speakers_are_named_when_the_client_says_so(service: Service) -> None:
    done = service.finished(service.submit(CONVERSATION, is_diarize="true", num_speakers="2"))
    assert len({segment["speaker"] for segment in done["result"]}) == 2
    assert done["speaker_embeddings"] is None


def test_undiarized_segments_name_nobody(service: Service) -> None:
    done = service.finished(service.submit(num_speakers="2"))
    assert {segment["speaker"] for segment in done["result"]} == {None}
    assert done["warnings"] == ["num_speakers has no effect: is_diarize is off."]


def test_impossible_numbers_of_speakers_are_refused(service: Service) -> None:
    answer = service.post(params={"is_diarize": "true", "min_speakers": "3", "max_speakers": "2"})
    assert answer.status_code == requests.codes.unprocessable_entity
    assert "min_speakers" in answer.json()["errors"]
